"""The WebSocket shell: connections in, `Session` in the middle, frames out.

One task a connection (`line`). What breaks in it closes that connection (1011) and no other.
"""

import asyncio
import secrets
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field

import websockets
from livegate import logs, metrics
from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from livegate_simulator import endpoints, scenario
from livegate_simulator.endpoints import Endpoint, UnauthenticatedError
from livegate_simulator.ephemeral import EphemeralTokens
from livegate_simulator.errors import RefusalError
from livegate_simulator.events import Closed
from livegate_simulator.line import Line
from livegate_simulator.registry import Registry
from livegate_simulator.scenario import Scenario, ScenarioError
from livegate_simulator.session import Server, Session
from livegate_simulator.wire import Wire

_log = logs.get(__name__)

MAX_MESSAGE_BYTES = 16 << 20
SCENARIO_HEADER = "x-livegate-scenario"
_STOPPING = (1011, "The service is currently unavailable.")
_KNOWN_CODES = frozenset({1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011})


@dataclass(frozen=True)
class LiveServer:
    """Serves the Live API. `is_valid_bearer` decides on the Vertex path, `ephemeral` on the
    Developer API's constrained one.
    """

    sessions: Server
    registry: Registry
    is_valid_bearer: Callable[[str], bool]
    pretty_json: bool = False
    ephemeral: EphemeralTokens = field(default_factory=EphemeralTokens)
    _lines: dict[int, Line] = field(default_factory=dict)

    def listen(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> WebSocketServer:
        """An async context manager that serves on `sock`; `close` ends it orderly."""
        return serve(
            self._handle,
            sock=sock,
            ssl=tls,
            process_request=self._check_request,
            create_connection=Wire,
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
            server_header=None,
            ping_timeout=60,  # a client on a bad network answers late and is still there
        )

    def inject(self, number: int, faults: Scenario) -> bool:
        """`faults` happen now on the connection with this number; False if it is not open."""
        line = self._lines.get(number)
        return line is not None and line.inject(faults)

    def _check_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """404 for other paths, 401 for a wrong bearer, 400 for a scenario that means nothing.

        None lets the upgrade go on.
        """
        path, _ = _split(request)
        at = endpoints.endpoint(path)
        if at is None:
            return connection.respond(404, "not found\n")
        if at.dialect == "vertex":
            try:
                endpoints.authenticate_vertex(_headers(request), self.is_valid_bearer)
            except UnauthenticatedError:
                return connection.respond(401, "unauthenticated\n")
        try:
            _scenario(request)
        except ScenarioError as error:
            return connection.respond(400, f"{error}\n")
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        assert isinstance(connection, Wire)
        request = connection.request
        assert request is not None, "the handshake is done"
        path, query = _split(request)
        at = endpoints.endpoint(path)
        assert at is not None, "the request was checked"
        if at.dialect == "developer":
            try:
                endpoints.authenticate_developer(
                    at, _headers(request), query, lambda name: self.ephemeral.use(name, time.time())
                )
            except RefusalError as refusal:
                await connection.close(refusal.code, refusal.reason)
                return
        await self._serve(connection, at, path, _scenario(request))

    async def _serve(
        self, connection: Wire, at: Endpoint, path: str, script: Scenario | None
    ) -> None:
        now = asyncio.get_running_loop().time
        fresh = self.registry.begin(secrets.token_hex(16), at, path, now())
        journal = fresh.current
        session = Session(self.sessions, at, fresh, script)
        line = Line(connection, session, journal, pretty_json=self.pretty_json)
        line.on_evict = self._evict
        line.on_resume = lambda: self.registry.resumed(fresh, session.lineage)
        self._lines[journal.number] = line
        try:
            with metrics.SIMULATOR_CONNECTIONS.track_inprogress():
                await line.run()
        except websockets.ConnectionClosed as closed:  # an ordinary end, whatever its code
            by_server = closed.sent is not None and not closed.rcvd_then_sent
            frame = closed.sent if by_server else closed.rcvd
            code, reason = (int(frame.code), frame.reason) if frame else (1006, "")
            journal.note_close("server" if by_server else "client", code, reason)
        finally:
            session.receive(Closed(), now())
            journal.note_close("server", 1011, "")  # unless it is known: websockets sends this
            del self._lines[journal.number]
            self.registry.finish(session.lineage, journal)
            code = journal.close["code"] if journal.close else 1006
            known = str(code) if code in _KNOWN_CODES else "other"
            metrics.SIMULATOR_CLOSES.labels(code=known).inc()
            _log.info(
                "session ended",
                session=journal.session_id,
                dialect=at.dialect,
                model=journal.model,
                **(journal.close or {}),
            )

    def _evict(self, number: int) -> None:
        line = self._lines.get(number)
        if line is not None:
            line.connection.reset()


async def close(server: WebSocketServer) -> None:
    """Stop listening, and close every connection so that its client comes back elsewhere."""
    server.close(code=_STOPPING[0], reason=_STOPPING[1])
    await server.wait_closed()


def _scenario(request: Request) -> Scenario | None:
    """The scenario that the request names, if it does.

    Raises:
        ScenarioError: it means nothing.
    """
    text = _headers(request).get(SCENARIO_HEADER)
    return None if text is None else scenario.parse(text)


def _split(request: Request) -> tuple[str, dict[str, str]]:
    """Path and query. Not by `urlsplit`, which takes the path "//ws/…" for a host."""
    path, _, query = request.path.partition("?")
    return path, dict(urllib.parse.parse_qsl(query))


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.raw_items()}
