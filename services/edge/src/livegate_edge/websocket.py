"""uvicorn's WebSocket protocol with a short way for ordinary messages.

A message that comes in one frame, and every message that goes out, takes a few operations here
instead of the tens in the general protocol. Whatever is not ordinary (handshake, control frames,
fragments, frames that break the rules) is the general protocol's, which gets whole frames.
"""

from collections.abc import Callable
from http import HTTPStatus
from struct import Struct
from typing import Any, Final, Protocol

from uvicorn import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame
from websockets.http11 import Request

try:
    from websockets.speedups import apply_mask
except ImportError:  # where websockets has no wheel
    from websockets.utils import apply_mask

QUEUED: Final = 8
"""So many messages are read before the application asks for them."""

LARGE_BYTES: Final = 64 << 10
"""After a message of this size nothing is read before it was asked for."""

TURN: Final = 64
"""So many frames of one connection are taken before the others have their turn."""

TURN_BYTES: Final = 4096
"""And so much where the general protocol takes whatever comes."""

PIECES: Final = 1024
"""Of an unfinished frame; then they are joined, since a small piece costs more than its bytes."""

FRAGMENTS: Final = 10_000
"""Of a message, even of empty ones."""

PINGS_PER_S: Final = 50

EXTENSION: Final = "livegate.direct"
"""In a scope's `extensions`: this connection's `Direct`."""


class Direct(Protocol):
    """A connection without a task switch a message, beside ASGI's `receive` and `send`."""

    def offer_to(self, take: Callable[[bytes], bool]) -> None:
        """Call `take` with each message that nothing unreceived stands before. What it does not
        take (False) is received.
        """

    def can_write(self) -> bool:
        """Whether the connection is open and its buffer has room."""

    def write(self, payload: bytes, *, binary: bool) -> None:
        """Send a message while `can_write()`; text is UTF-8."""


_TEXT, _BINARY = 0x81, 0x82  # with FIN, without extension bits
_ORDINARY = (_TEXT, _BINARY)
_MASKED = 0x80
_MASK_BYTES = 4
_short = Struct("!H")
_long = Struct("!Q")
_out_small = Struct("!BB").pack
_out_short = Struct("!BBH").pack
_out_long = Struct("!BBQ").pack


class LeanWebSocket(WebSocketsSansIOProtocol):
    """For uvicorn's `ws` setting. To its application a text message comes as its UTF-8 `bytes`."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._chunks: list[bytes] = []
        self._missing = 0
        self._general = False
        self._max_bytes = config.ws_max_size
        self._offer: Callable[[bytes], bool] | None = None
        self._waiting = b""
        self._pings = 0
        self._pings_since = 0.0
        self._after_close = 0

    def handle_connect(self, event: Request) -> None:
        """The client asks for a WebSocket."""
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            extensions: Any = self.scope["extensions"]
            extensions[EXTENSION] = self

    def offer_to(self, take: Callable[[bytes], bool]) -> None:
        """See `Direct`."""
        self._offer = take

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if not self.handshake_complete:
            # What came before the handshake's end lies in the general protocol's buffer.
            self._general = self.handshake_initiated
            super().data_received(data)
            if self.conn.handshake_exc is not None and not self.handshake_initiated:
                self._refuse()
        elif self.close_sent and self._is_deaf(len(data)):
            self.transport.abort()
        elif self._waiting:
            self._waiting += data
        elif self._general:
            self._take_general(data)
        elif len(data) < self._missing:
            self._chunks.append(data)
            self._missing -= len(data)
            if len(self._chunks) >= PIECES:
                self._chunks = [b"".join(self._chunks)]
        else:
            if self._chunks:
                self._chunks.append(data)
                data = b"".join(self._chunks)
                self._chunks.clear()
            self._take(data)

    def _is_deaf(self, size: int) -> bool:
        """Whether so much comes after our close that the client does not heed it."""
        self._after_close += size
        return self._after_close > self._max_bytes

    def _refuse(self) -> None:
        """The request for a WebSocket is none: uvicorn leaves it without an answer."""
        answer = b"".join(self.conn.data_to_send())
        self.transport.write(answer or b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        self.transport.close()

    def _take(self, data: bytes) -> None:
        """Every whole frame; the rest is kept with how much of it is missing at least."""
        at, size, left = 0, len(data), TURN
        while not self.transport.is_closing():
            if not left:
                self._wait(data[at:])
                return
            left -= 1
            body, length = _length(data, at, size)
            if length > self._max_bytes:
                self._general = True
                self._take_general(data[at:])
                return
            end = body + length
            if end > size:
                self._missing = end - size
                if at < size:
                    self._chunks.append(data[at:])
                return
            self._frame(data, at, body, end)
            at = end

    def _take_general(self, data: bytes) -> None:
        super().data_received(data[:TURN_BYTES])
        if len(data) > TURN_BYTES and not self.transport.is_closing():
            self._wait(data[TURN_BYTES:])

    def _wait(self, rest: bytes) -> None:
        self._waiting = rest
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()
        self.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        rest, self._waiting = self._waiting, b""
        if self._general:
            self._take_general(rest)
        else:
            self._take(rest)
        if not self._waiting:
            self._read_on()

    def _read_on(self) -> None:
        if self.read_paused and self.queue.empty() and not self.transport.is_closing():
            self.read_paused = False
            self.transport.resume_reading()

    async def receive(self) -> Any:  # noqa: ANN401, as ASGI has it
        """See ASGI."""
        message = await self.queue.get()
        if not self._waiting:
            self._read_on()
        return message

    def handle_ping(self) -> None:
        """Answered, unless the client sends too many, or does not read."""
        now = self.loop.time()
        if now - self._pings_since >= 1:
            self._pings, self._pings_since = 0, now
        self._pings += 1
        if self._pings > PINGS_PER_S:
            self._fail(1008, "too many pings")
            return
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set() and not self.transport.is_closing():
            self.transport.write(pong)

    def handle_cont(self, event: Frame) -> None:
        """A fragment of a message."""
        if len(self.frames) >= FRAGMENTS:
            self._fail(1009, "too many fragments")
            return
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """A message that came in fragments, or is not UTF-8."""
        text = self.curr_msg_data_type == "text"
        if text and not self.close_sent and not _is_utf8(b"".join(self.frames)):
            self._fail(1007, "")
            return
        super().send_receive_event_to_app()

    def _fail(self, code: int, reason: str) -> None:
        self.frames = []
        if not self.close_sent:
            self.conn.send_close(code, reason)
            self.handle_parser_exception()

    def _frame(self, data: bytes, at: int, body: int, end: int) -> None:
        first = data[at]
        ordinary = first in _ORDINARY and data[at + 1] & _MASKED and not self._is_fragmented
        if not ordinary:
            super().data_received(data[at:end])
            return
        payload = apply_mask(data[body:end], data[body - _MASK_BYTES : body])
        if first == _TEXT and not payload.isascii() and not _is_utf8(payload):
            super().data_received(data[at:end])
        elif not self.close_sent:
            if self._offer is not None and self.queue.empty() and self._offer(payload):
                return
            self.queue.put_nowait({"type": "websocket.receive", "bytes": payload})
            full = self.queue.qsize() >= QUEUED or len(payload) >= LARGE_BYTES
            if full and not self.read_paused:
                self.read_paused = True
                self.transport.pause_reading()

    @property
    def _is_fragmented(self) -> bool:
        return self.conn.current_size is not None

    async def send(self, message: Any) -> None:  # noqa: ANN401, as ASGI has it
        """See ASGI."""
        if message["type"] != "websocket.send" or not self.handshake_complete or self.close_sent:
            await super().send(message)
            return
        if not self.writable.is_set():
            await self.writable.wait()
        if self.disconnected or self.transport.is_closing():
            raise ClientDisconnected
        payload = message.get("bytes")
        if payload is None:
            self._write(message["text"].encode(), _TEXT)
        else:
            self._write(payload, _BINARY)

    def can_write(self) -> bool:
        """See `Direct`."""
        return (
            self.writable.is_set()
            and self.handshake_complete
            and not self.close_sent
            and not self.transport.is_closing()
        )

    def write(self, payload: bytes, *, binary: bool) -> None:
        """See `Direct`."""
        self._write(payload, _BINARY if binary else _TEXT)

    def _write(self, payload: bytes, first: int) -> None:
        size = len(payload)
        if size < 126:
            header = _out_small(first, size)
        elif size < 65536:
            header = _out_short(first, 126, size)
        else:
            header = _out_long(first, 127, size)
        self.transport.write(header + payload)


def _length(data: bytes, at: int, size: int) -> tuple[int, int]:
    """Where the payload of the frame at `at` begins, and its length (bytes), as far as known."""
    if size - at < 2:
        return at + 2, 0
    second = data[at + 1]
    length = second & 127
    body = at + 2
    if length == 126:
        length = _short.unpack_from(data, body)[0] if size >= body + 2 else 0
        body += 2
    elif length == 127:
        length = _long.unpack_from(data, body)[0] if size >= body + 8 else 0
        body += 8
    return body + _MASK_BYTES * (second >= _MASKED), length


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
