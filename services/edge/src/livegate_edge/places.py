"""How many WebSockets an edge holds: a bound for memory and files, checked before anything else."""

from livegate import bounds, logs
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

RETRY_S = 10
OTHER_FILES = bounds.CONNECTIONS + 200
"""What a process has open besides: requests over HTTP, Redis, an issuer, its own."""

log = logs.get("places")


def places(wanted: int) -> int:
    """So many of the wanted WebSockets this process may hold."""
    files = bounds.open_files()
    possible = max(1, files - OTHER_FILES)
    if possible < wanted:
        log.warning(
            "fewer connections than MAX_CONNECTIONS: raise the limit of open files (ulimit -n)",
            connections=possible,
            files=files,
        )
    return min(wanted, possible)


class Places:
    """The application for so many WebSockets at once; one more is told to come again."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        if self._taken >= self._most:
            await WebSocket(scope, receive, send).send_denial_response(
                PlainTextResponse(
                    "503: this edge holds MAX_CONNECTIONS already\n",
                    503,
                    headers={"Retry-After": str(RETRY_S)},
                )
            )
            return
        self._taken += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._taken -= 1
