"""The upstream connection: the Live API's WebSocket behind a small interface."""

from collections.abc import AsyncIterator
from typing import Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
)

CLOSE_TIMEOUT_S = 0.5
"""A server that went silent does not answer a close: the next connection must not wait for it."""


class UpstreamError(Exception):
    """No connection: `status` is the HTTP status of a refused upgrade, else None."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class _Connect(connect):
    """Follows no redirect: key and project header go nowhere but to the configured host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Upstream:
    """An open connection. Messages are bytes; text frames go up, text or binary come down."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    @classmethod
    async def open(
        cls, url: str, headers: dict[str, str], *, timeout_s: float, max_bytes: int
    ) -> Self:
        """Connect. No ping time-out: the Live API's pongs take up to 30 s. No compression.

        Raises:
            UpstreamError: refused or unreachable; the text has no header and no query.
        """
        try:
            socket = await _Connect(
                url,
                additional_headers=headers,
                compression=None,
                max_size=max_bytes,
                open_timeout=timeout_s,
                close_timeout=CLOSE_TIMEOUT_S,
                ping_timeout=None,
                user_agent_header="livegate",
            )
        except InvalidStatus as error:
            status = error.response.status_code
            raise UpstreamError(
                f"the Live API refused the connection: HTTP {status}", status
            ) from None
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI, UnicodeError) as error:
            # UnicodeError: what a host name with an empty label raises.
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise UpstreamError(f"the Live API can't be reached: {reason}") from None
        return cls(socket)

    async def send(self, payload: bytes) -> None:
        """Send a message as text; waits while the socket's buffer is full. After the end, nothing
        happens: `messages()` tells the end.
        """
        try:
            await self._socket.send(payload, text=True)
        except ConnectionClosed:
            return

    async def messages(self) -> AsyncIterator[bytes]:
        """Every message until the connection ends; then see `close_code`."""
        while True:
            try:
                message = await self._socket.recv(decode=False)
            except ConnectionClosed:
                return
            yield message

    @property
    def close_code(self) -> int:
        """The code of the ended connection; 1006 if it broke."""
        return self._socket.close_code or 1006

    @property
    def close_reason(self) -> str:
        """The reason of the ended connection."""
        return self._socket.close_reason or ""

    async def close(self) -> None:
        """Close with 1000 and wait for the answer, half a second at most."""
        await self._socket.close()
