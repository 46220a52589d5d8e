"""A WebSocket connection whose network can be made worse: slow pongs, and a reset."""

import socket
import struct

from websockets.asyncio.server import Server, ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

_CLOSE_BY_RESET = struct.pack("ii", 1, 0)  # struct linger: on, 0 s


class Wire(ServerConnection):
    """One connection. `pong_delay_s` is how late the client's pings are answered."""

    def __init__(self, protocol: ServerProtocol, server: Server, **options: float | None) -> None:
        super().__init__(protocol, server, **options)  # type: ignore[arg-type]  # as `serve` does
        self.pong_delay_s = 0.0
        # websockets answers pings inside the protocol, which `serve` makes and lets nobody replace.
        self._send_frame = protocol.send_frame
        protocol.send_frame = self._send_or_delay  # type: ignore[method-assign]

    def reset(self) -> None:
        """End the TCP connection with RST: no close frame, and what waits to be sent is lost."""
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_BY_RESET)
        self.transport.abort()

    def _send_or_delay(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG and self.pong_delay_s:
            self.loop.call_later(self.pong_delay_s, self._send_late, frame)
        else:
            self._send_frame(frame)

    def _send_late(self, frame: Frame) -> None:
        if self.state is State.OPEN:
            self._send_frame(frame)
            self.send_data()
