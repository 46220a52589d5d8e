"""uvicorn's HTTP protocol with bounds: what has not said yet what it wants costs little, not long.

uvicorn itself waits for ever for a request's header, of any size, on any number of connections.
A WebSocket is under these bounds until its upgrade.
"""

import asyncio
import logging
import resource
from typing import Any, Final

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from livegate import metrics

REQUEST_S: Final = 10.0
"""So long a request's header may take, from the connection's beginning or the last answer on."""

ANSWER_S: Final = 60.0
"""So long its body and the answer may take."""

REQUEST_BYTES: Final = 64 << 10
"""Of header, body and trailers together, give or take a slice."""

SLICE_BYTES: Final = 16 << 10
PIPELINED: Final = 16
"""Requests that wait behind one that is being answered."""

CONNECTIONS: Final = 1000
"""Of a process; one more takes the place of the one that has waited longest for its request."""

FILES: Final = 65_536

# What clients do wrong is counted, and no line in the log; errors of applications are told.
_logger = logging.getLogger("livegate.http")
_logger.setLevel(logging.ERROR)

_open: dict["BoundedHttp", None] = {}
"""In the order in which they began to wait."""


class BoundedHttp(HttpToolsProtocol):
    """For uvicorn's `http` setting."""

    def __init__(self, config: Config, server_state: ServerState, **more: Any) -> None:  # noqa: ANN401, uvicorn's own
        super().__init__(config, server_state, **more)
        self.logger = _logger
        self._request_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        self._wait(REQUEST_S)
        if len(_open) > CONNECTIONS:
            next(iter(_open))._cut("crowded")  # noqa: SLF001, one of us

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        for at in range(0, len(data), SLICE_BYTES):
            part = data[at : at + SLICE_BYTES]
            self._request_bytes += len(part)
            super().data_received(part)
            if self not in _open or self.transport.is_closing():
                return  # it is a WebSocket now, or over
            if self._request_bytes > REQUEST_BYTES or len(self.pipeline) > PIPELINED:
                self._refuse()
                return

    def handle_websocket_upgrade(self) -> None:
        """The connection is the WebSocket protocol's from here on."""
        self._forget()
        super().handle_websocket_upgrade()

    def on_headers_complete(self) -> None:
        """A request's header is there."""
        super().on_headers_complete()
        self._wait(ANSWER_S)

    def on_message_complete(self) -> None:
        """A request is there."""
        super().on_message_complete()
        self._request_bytes = 0

    def on_response_complete(self) -> None:
        """It was answered; another may wait already."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._wait(REQUEST_S if self.cycle.response_complete else ANSWER_S)

    def _wait(self, seconds: float) -> None:
        self._forget()
        _open[self] = None
        self._deadline = self.loop.call_later(seconds, self._cut, "late")

    def _forget(self) -> None:
        _open.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self, why: str) -> None:
        metrics.HTTP_CUT.labels(why).inc()
        self._forget()
        self.transport.abort()

    def _refuse(self) -> None:
        metrics.HTTP_CUT.labels("big").inc()
        if self.cycle is None or self.cycle.response_complete:
            answer = STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(answer)
        self.transport.close()


def open_files() -> int:
    """How many files this process may have open, after asking for as many as it may ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return FILES if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
