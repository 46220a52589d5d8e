"""The WebSocket shell: connections in, `Session` in the middle, frames out.

One task a connection, which waits for the client's next message or the session's next `Tick`. What
breaks in it closes that connection (1011) and no other.
"""

import asyncio
import secrets
import socket
import ssl
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

import websockets
from livegate import logs, metrics
from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from livegate_simulator import endpoints, messages
from livegate_simulator.endpoints import Endpoint, UnauthenticatedError
from livegate_simulator.errors import RefusalError
from livegate_simulator.registry import Registry
from livegate_simulator.session import Close, Output, Received, Send, Server, Session, Tick

_log = logs.get(__name__)

MAX_MESSAGE_BYTES = 16 << 20
_STOPPING = (1011, "The service is currently unavailable.")
_KNOWN_CODES = frozenset({1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011})


@dataclass(frozen=True)
class LiveServer:
    """Serves the Live API. `is_valid_bearer` decides on the Vertex path."""

    sessions: Server
    registry: Registry
    is_valid_bearer: Callable[[str], bool]
    pretty_json: bool = False

    def listen(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> WebSocketServer:
        """An async context manager that serves on `sock`; `close` ends it orderly."""
        return serve(
            self._handle,
            sock=sock,
            ssl=tls,
            process_request=self._check_request,
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
            server_header=None,
            ping_timeout=60,  # a client on a bad network answers late and is still there
        )

    def _check_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """404 for other paths, 401 for a wrong bearer; None lets the upgrade go on."""
        path, _ = _split(request)
        at = endpoints.endpoint(path)
        if at is None:
            return connection.respond(404, "not found\n")
        if at.dialect == "vertex":
            try:
                endpoints.authenticate_vertex(_headers(request), self.is_valid_bearer)
            except UnauthenticatedError:
                return connection.respond(401, "unauthenticated\n")
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None, "the handshake is done"
        path, query = _split(request)
        at = endpoints.endpoint(path)
        assert at is not None, "the request was checked"
        if at.dialect == "developer":
            try:
                endpoints.authenticate_developer(_headers(request), query)
            except RefusalError as refusal:
                await connection.close(refusal.code, refusal.reason)
                return
        await self._serve(connection, at, path)

    async def _serve(self, connection: ServerConnection, at: Endpoint, path: str) -> None:
        now = asyncio.get_running_loop().time
        journal = self.registry.begin(secrets.token_hex(16), at, path, now())
        session = Session(self.sessions, at, journal)
        log = _log.bind(session=journal.session_id, dialect=at.dialect)
        log.debug("session began")
        try:
            with metrics.SIMULATOR_CONNECTIONS.track_inprogress():
                await self._converse(connection, session)
        except websockets.ConnectionClosed as closed:  # an ordinary end, whatever its code
            by_server = closed.sent is not None and not closed.rcvd_then_sent
            frame = closed.sent if by_server else closed.rcvd
            code, reason = (int(frame.code), frame.reason) if frame else (1006, "")
            journal.note_close("server" if by_server else "client", code, reason)
        finally:
            journal.note_close("server", 1011, "")  # unless it is known: websockets sends this
            self.registry.finish(journal)
            code = journal.close["code"] if journal.close else 1006
            known = str(code) if code in _KNOWN_CODES else "other"
            metrics.SIMULATOR_CLOSES.labels(code=known).inc()
            log.info("session ended", model=journal.model, **(journal.close or {}))

    async def _converse(self, connection: ServerConnection, session: Session) -> None:
        loop = asyncio.get_running_loop()
        wake: float | None = None
        while True:
            outputs: list[Output]
            if wake is not None and wake <= loop.time():
                wake = None
                outputs = session.receive(Tick(), loop.time())
            else:
                try:
                    async with asyncio.timeout_at(wake):
                        data = await connection.recv(decode=False)
                except TimeoutError:
                    continue
                outputs = session.receive(Received(data), loop.time())
            for output in outputs:
                if isinstance(output, Send):
                    await connection.send(messages.encode(output.message, pretty=self.pretty_json))
                elif isinstance(output, Close):
                    await connection.close(output.code, output.reason)
                    return
                else:
                    wake = output.at


async def close(server: WebSocketServer) -> None:
    """Stop listening, and close every connection so that its client comes back elsewhere."""
    server.close(code=_STOPPING[0], reason=_STOPPING[1])
    await server.wait_closed()


def _split(request: Request) -> tuple[str, dict[str, str]]:
    """Path and query. Not by `urlsplit`, which takes the path "//ws/…" for a host."""
    path, _, query = request.path.partition("?")
    return path, dict(urllib.parse.parse_qsl(query))


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.raw_items()}
