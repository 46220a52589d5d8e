"""The upstream connection: the Live API's WebSocket behind a small interface."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Self

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSParsedURL,
    WSProtocolError,
    WSTransport,
    ws_connect,
)
from picows.picows import WSCloseInfo

CLOSE_TIMEOUT_S = 0.5
"""A server that went silent does not answer a close: the next connection must not wait for it."""

FRAGMENTS = 10_000
"""Of a message, even of empty ones."""

READ_BYTES = 4096
"""A connection's read buffer at first; it grows with what comes."""

_silent = logging.getLogger("livegate.picows")
_silent.setLevel(logging.CRITICAL + 1)  # what is worth telling is in UpstreamError and close_code


class UpstreamError(Exception):
    """No connection: `status` is the HTTP status of a refused upgrade, else None."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class Upstream(WSListener):
    """An open connection. Text frames go up; text or binary come down, each message as bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._transport: WSTransport
        self._begun: list[bytes] = []
        self._begun_bytes = 0
        self._early: list[bytes] = []
        self._on_message: Callable[[bytes], None] = self._early.append
        self._writable = asyncio.Event()
        self._writable.set()

    @classmethod
    async def open(
        cls, url: str, headers: dict[str, str], *, timeout_s: float, max_bytes: int
    ) -> Self:
        """Connect. No pings: the Live API's pongs take up to 30 s. No compression, no redirects:
        key and project header go nowhere but to the configured host.

        Raises:
            UpstreamError: refused or unreachable; the text has no header and no query.
        """
        try:
            async with asyncio.timeout(timeout_s):
                upstream = await _dial(lambda: cls(max_bytes), url, headers, max_bytes)
        except WSHandshakeError as error:
            status = error.response.status if error.response else None
            if status is None:
                raise UpstreamError(_unreachable(error)) from None
            text = f"the Live API refused the connection: HTTP {int(status)}"
            raise UpstreamError(text, int(status)) from None
        except (OSError, TimeoutError, WSError, ValueError) as error:
            raise UpstreamError(_unreachable(error)) from None
        if not isinstance(upstream, cls):
            raise UpstreamError("the Live API can't be reached: it broke off the handshake")
        return upstream

    # picows' side

    def on_ws_connected(self, transport: WSTransport) -> None:
        """See `WSListener`."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """See `WSListener`."""
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.payload_size > self._max_bytes:
            return  # picows has refused it, and gives it out all the same
        elif kind in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            if frame.fin and not self._begun:
                self._on_message(frame.get_payload_as_bytes())
            else:
                self._fragment(frame)

    def _fragment(self, frame: WSFrame) -> None:
        self._begun.append(frame.get_payload_as_bytes())
        self._begun_bytes += frame.payload_size
        if self._begun_bytes > self._max_bytes or len(self._begun) > FRAGMENTS:
            raise WSProtocolError(WSCloseCode.MESSAGE_TOO_BIG, "the message is too big")
        if frame.fin:
            message = b"".join(self._begun)
            self._begun.clear()
            self._begun_bytes = 0
            self._on_message(message)

    def pause_writing(self) -> None:
        """See `WSListener`."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """See `WSListener`."""
        self._writable.set()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """See `WSListener`."""
        del transport
        self._writable.set()

    # The session's side

    @property
    def writable(self) -> bool:
        """Whether the socket's buffer has room."""
        return self._writable.is_set()

    async def until_writable(self) -> None:
        """Wait for room, or for the end."""
        await self._writable.wait()

    def send(self, payload: bytes) -> None:
        """Send a message as text. After the end, nothing happens: `read` tells the end."""
        if not self._transport.is_close_frame_sent:
            self._transport.send(WSMsgType.TEXT, payload)

    async def read(self, on_message: Callable[[bytes], None]) -> None:
        """Give every message to `on_message` until the connection ends; then see `close_code`.

        Raises:
            Exception: what `on_message` raised; the connection is closed then.
        """
        early, self._early = self._early, []
        self._on_message = on_message
        for message in early:
            on_message(message)
        with contextlib.suppress(WSError):
            await self._transport.wait_disconnected()

    @property
    def close_code(self) -> int:
        """The code of the ended connection; 1006 if it broke, or was not the server's to end."""
        told = self._told
        return told.code.value or 1005 if told else 1006

    @property
    def close_reason(self) -> str:
        """The reason of the ended connection."""
        return self._told.reason or "" if self._told else ""

    @property
    def _told(self) -> WSCloseInfo | None:
        closes = self._transport.close_handshake
        return closes.recv if closes and closes.recv_then_sent else None

    async def close(self) -> None:
        """Close with 1000 and wait for the answer, half a second at most."""
        transport = self._transport
        if transport.is_disconnected:
            return
        if not transport.is_close_frame_sent:
            transport.send_close(WSCloseCode.OK)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await transport.wait_disconnected()
        except TimeoutError:
            transport.disconnect(graceful=False)
        except Exception:  # noqa: BLE001, S110, why it ended, `read` has told
            pass


async def _dial(
    factory: Callable[[], WSListener], url: str, headers: dict[str, str], max_bytes: int
) -> WSListener | None:
    """Connect; None: the server broke off the handshake."""
    sockets: list[socket.socket] = []

    async def connect(parsed: WSParsedURL) -> socket.socket:
        sock = await _connected(parsed.host, parsed.port)
        sockets.append(sock)
        return sock

    try:
        _, listener = await ws_connect(
            factory,
            url,
            extra_headers=headers | {"User-Agent": "livegate"},
            websocket_handshake_timeout=None,
            logger_name=_silent,
            max_frame_size=max_bytes,
            max_redirects=0,
            read_buffer_init_size=READ_BYTES,
            socket_factory=connect,
            use_aiofastnet=False,
        )
    except BaseException:
        # picows leaves a handshake alone that nobody waits for any more.
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        raise
    return listener


async def _connected(host: str, port: int) -> socket.socket:
    """To the first of the host's addresses that answers."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except BaseException as error:
            sock.close()
            if number == len(addresses) - 1 or not isinstance(error, OSError):
                raise
        else:
            return sock
    raise OSError("no address")


def _unreachable(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or type(error).__name__
    return f"the Live API can't be reached: {reason}"
