"""Edges and workers with their own shells, on the world's loops, Redis and Live API."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Self

from livegate_edge.connection import SUBPROTOCOL, ClientConnection
from livegate_edge.gateway import Gateway
from livegate_edge.settings import EdgeSettings
from livegate_edge.tickets import Tickets
from livegate_edge.users import ANONYMOUS
from livegate_worker.machine import State
from livegate_worker.owned import OwnedSession
from livegate_worker.settings import WorkerSettings
from livegate_worker.worker import Worker

from tests.machines.live_api import LiveApi, Socket
from tests.machines.loop import Clock, Loop
from tests.machines.transport import (
    ModelBus,
    ModelDispatch,
    ModelOwnership,
    Pipe,
    Store,
)

NOWHERE: Any = "redis://127.0.0.1:1/0"
EDGE_SETTINGS = EdgeSettings(redis_url=NOWHERE, frontend_dir=Path())
WORKER_SETTINGS = WorkerSettings(
    redis_url=NOWHERE, live_upstream="ws://model", resumption=True, slots=2
)
TICKETS = Tickets()
SOCKET_BYTES = 64 << 10
"""What a connection holds before its writer has to wait."""


class Process:
    """A process: it runs, is frozen, or has ended."""

    bus: ModelBus

    def __init__(self, clock: Clock, api: LiveApi, name: str) -> None:
        self.name = name
        self.api = api
        self.loop = Loop(clock, self)
        self.alive = True
        self.frozen = False
        self.sockets: list[ClientSocket | ModelUpstream] = []

    @property
    def running(self) -> bool:
        return self.alive and not self.frozen

    def run_ready(self) -> bool:
        ran = self.running and self.loop.run_ready()
        if self.loop.errors:
            raise self.loop.errors[0]
        return ran

    def kill(self, applied: int = 0) -> None:
        """SIGKILL: its sockets break; `applied` of its frames still reach Redis."""
        self.bus.writer.end(applied)
        self.bus.connected = False
        self.alive = self.frozen = False
        for socket in self.sockets:
            socket.killed()
        self.loop.errors.clear()
        self.loop.end()


class EdgeProcess(Process):
    """An edge."""

    def __init__(self, clock: Clock, store: Store, api: LiveApi, name: str) -> None:
        super().__init__(clock, api, name)
        self.gateway = Gateway(EDGE_SETTINGS)
        self.gateway.tickets = TICKETS
        exchange = self.gateway.exchange
        self.bus = exchange.bus = ModelBus(store, self.loop, self.gateway.mailbox, exchange)
        self.gateway._dispatch = ModelDispatch(store)
        self.gateway._ownership = ModelOwnership(store)
        self.loop.spawn(self.gateway.run())

    @property
    def connections(self) -> list[ClientConnection]:
        members = self.gateway.exchange.members.values()
        return [member for member in members if isinstance(member, ClientConnection)]


class WorkerProcess(Process):
    """A worker; `on_write` hears of each message before it is written upstream."""

    def __init__(
        self,
        clock: Clock,
        store: Store,
        api: LiveApi,
        name: str,
        on_write: "Callable[[ModelUpstream, bytes], None]",
    ) -> None:
        super().__init__(clock, api, name)
        self.on_write = on_write
        self.worker = Worker(WORKER_SETTINGS)
        exchange = self.worker.exchange
        self.bus = exchange.bus = ModelBus(store, self.loop, self.worker.mailbox, exchange)
        self.worker._dispatch = ModelDispatch(store)
        self.worker._ownership = ModelOwnership(store)
        self.draining = self.drained = False
        self.loop.spawn(self.worker.run())

    @property
    def sessions(self) -> list[OwnedSession]:
        return list(self.worker._sessions.values())

    @property
    def epochs(self) -> dict[bytes, int]:
        """The sessions that it acts for, and in which epoch."""
        idle = (State.CLAIMED, State.ENDING, State.ENDED)
        links = (s.link for s in self.sessions if s._machine.state not in idle)
        return {link.session: link.epoch for link in links}

    def drain(self) -> None:
        """SIGTERM."""
        self.draining = True
        self.loop.call(self.loop.spawn, self._drain())

    async def _drain(self) -> None:
        await self.worker.drain()
        self.drained = True


class ClientSocket:
    """A client's WebSocket at an edge: ASGI on the edge's side, calls on the client's."""

    def __init__(self, edge: EdgeProcess, client: Any, *, livegate_v1: bool) -> None:
        self.edge = edge
        self.up = Pipe(self._to_edge)
        self.down = Pipe(self._to_client)
        self.open = True
        self._client = client
        self._inbox: deque[dict[str, Any]] = deque([{"type": "websocket.connect"}])
        self._gone = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        scope = {
            "type": "websocket",
            "path": "/ws" if livegate_v1 else "/ws/google.ai",
            "subprotocols": [SUBPROTOCOL] if livegate_v1 else [],
            "user": ANONYMOUS,
        }
        edge.sockets.append(self)
        edge.loop.call(edge.loop.spawn, edge.gateway(scope, self._receive, self._send))

    # The edge's side

    async def _receive(self) -> dict[str, Any]:
        while not self._inbox:
            self._reader = self.edge.loop.create_future()
            await self._reader
        return self._inbox.popleft()

    async def _send(self, message: Any) -> None:
        if message["type"] == "websocket.accept":
            return
        if self._gone:
            raise OSError("gone")
        self.down.put(message)
        if self.down.ended:
            self._client.wrote_in_vain(self, message)
        while self._held_bytes > SOCKET_BYTES and not self._gone:
            self._writer = self.edge.loop.create_future()
            await self._writer

    @property
    def _held_bytes(self) -> int:
        return sum(len(item.get("text") or item.get("bytes") or b"") for item in self.down.items)

    def _arrive(self, message: dict[str, Any]) -> None:
        if self._gone:
            return
        self._gone = message["type"] == "websocket.disconnect"
        self._inbox.append(message)
        _resolve(self._reader, self.edge)
        if self._gone:
            _resolve(self._writer, self.edge)

    def _to_edge(self, item: Any) -> None:
        if isinstance(item, int):
            self._arrive({"type": "websocket.disconnect", "code": item})
        else:
            self._arrive({"type": "websocket.receive", "text": item.decode()})

    def _to_client(self, item: dict[str, Any]) -> None:
        if self._held_bytes <= SOCKET_BYTES:
            _resolve(self._writer, self.edge)
        if item["type"] == "websocket.close":
            self.open = False
            self.up.end()
            self.down.ended = True
            self._arrive({"type": "websocket.disconnect", "code": item["code"]})
            self._client.closed(self, item["code"], item["reason"])
            return
        body = item.get("bytes")
        self._client.receive(self, item["text"].encode() if body is None else body)

    # The client's side

    def say(self, payload: bytes) -> None:
        self.up.put(payload)

    def close(self, code: int) -> None:
        """The client closes it."""
        self.up.put(code)
        self.open = False
        self.down.end()

    def cut(self, up: int, down: int, *, half_open: bool = False) -> None:
        """It breaks: so many messages still arrive. `half_open`: the edge does not hear of it."""
        for message in self.down.end(down):
            self._client.wrote_in_vain(self, message)
        self.up.end(up)
        was_open, self.open = self.open, False
        if not half_open:
            self.noticed()
        if was_open:
            self._client.lost(self)

    def noticed(self) -> None:
        """The edge hears that it is broken."""
        self._arrive({"type": "websocket.disconnect", "code": 1006})

    def killed(self) -> None:
        """The edge's process is gone."""
        self.cut(0, 0, half_open=True)
        self._gone = True


_acting: ContextVar[OwnedSession] = ContextVar("acting")
_run = OwnedSession.run


async def run_marked(session: OwnedSession) -> None:
    """`OwnedSession.run`, so that an upstream connection knows whose it is."""
    _acting.set(session)
    await _run(session)


class ModelUpstream:
    """What `livegate_worker.upstream.Upstream` is, at the model's Live API."""

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self.link = _acting.get().link
        self.up = Pipe(self._to_api)
        self.down = Pipe(self._to_worker)
        self.close_code = 1006
        self.close_reason = ""
        self.open = True
        self._inbox: deque[bytes] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._over: asyncio.Future[None] | None = None
        self.socket: Socket = worker.api.accept(self, self.down.put, self._api_closes)
        worker.sockets.append(self)

    @classmethod
    async def open_(cls, url: str, headers: object, *, timeout_s: float, max_bytes: int) -> Self:
        del url, headers, timeout_s, max_bytes
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        return cls(loop.host)

    # The worker's side

    @property
    def writable(self) -> bool:
        return self._held_bytes <= SOCKET_BYTES or not self.open

    async def until_writable(self) -> None:
        while not self.writable:
            self._writer = self.worker.loop.create_future()
            await self._writer

    def send(self, payload: bytes) -> None:
        if self.open:
            self.worker.on_write(self, payload)
            self.up.put(payload)

    @property
    def _held_bytes(self) -> int:
        return sum(len(item) for item in self.up.items if isinstance(item, bytes))

    async def read(self, on_message: Callable[[bytes], None]) -> None:
        while True:
            while not self._inbox:
                if not self.open:
                    return
                self._reader = self.worker.loop.create_future()
                await self._reader
            on_message(self._inbox.popleft())

    async def close(self) -> None:
        if not self.open:
            return
        self.up.put(None)
        self._over = self.worker.loop.create_future()
        try:
            async with asyncio.timeout(0.5):
                await self._over
        except TimeoutError:
            self._ended(1006, "")

    def _ended(self, code: int, reason: str) -> None:
        if self.open:
            self.open = False
            self.close_code, self.close_reason = code, reason
        for future in (self._reader, self._writer, self._over):
            _resolve(future, self.worker)

    def _to_worker(self, item: bytes | tuple[int, str]) -> None:
        if isinstance(item, bytes):
            if self.open:
                self._inbox.append(item)
            _resolve(self._reader, self.worker)
        else:
            self._ended(*item)

    # The Live API's side

    def _to_api(self, item: bytes | None) -> None:
        if item is None:
            self.worker.api.on_close(self.socket)
            self.down.put((1000, ""))
        else:
            self.worker.api.on_message(self.socket, item)
        if self._held_bytes <= SOCKET_BYTES:
            _resolve(self._writer, self.worker)

    def _api_closes(self, code: int, reason: str) -> None:
        self.down.put((code, reason))

    def reset(self, up: int, down: int) -> None:
        """It breaks: so many messages still arrive at either end."""
        self.up.end(up)
        self.down.end(down)
        self.worker.api.on_close(self.socket)
        self._ended(1006, "")

    def killed(self) -> None:
        """The worker's process is gone: what it had written still arrives, then the end."""
        if self.open:
            self.up.put(None)
        self.down.end()
        self.open = False


def _resolve(future: "asyncio.Future[None] | None", process: Process) -> None:
    if future is not None and not future.done() and not process.loop.is_closed():
        future.set_result(None)
