"""One conversation in the whole system: a client, edges, workers, Redis and the Live API, with
everything between them held, cut or lost at will.
"""

from collections.abc import Iterator

from livegate.channel import WINDOW_BYTES, Sender, size_of
from livegate_edge.session import UNRELEASED_BYTES
from livegate_worker.machine import DOWNLINK_BYTES

from tests.machines.client import Client
from tests.machines.live_api import LiveApi, Socket
from tests.machines.loop import Clock
from tests.machines.processes import (
    ClientSocket,
    EdgeProcess,
    ModelUpstream,
    Process,
    WorkerProcess,
)
from tests.machines.transport import Pipe, Store

TURNS = 20_000
SETTLE_S = 150
END_S = 140
KEPT_BYTES = 2 * DOWNLINK_BYTES + UNRELEASED_BYTES


class World:
    """`half_open` are connections that the client has given up and the edge has not. `doubtful`:
    what an edge said of its client's messages may not have come to the worker.
    """

    def __init__(self, client: type[Client], edges: int = 2, workers: int = 2) -> None:
        self.clock = Clock()
        self.api = LiveApi()
        self.store = Store(self.clock)
        self.client = client(self.clock, self.api)
        self.edges: list[EdgeProcess] = []
        self.workers: list[WorkerProcess] = []
        self.dead: list[Process] = []
        self.half_open: list[ClientSocket] = []
        self.unjust_writes: list[str] = []
        self.doubtful = False
        for _ in range(edges):
            self.start_edge()
        for _ in range(workers):
            self.start_worker()
        self.settle()

    # Means

    def start_edge(self) -> None:
        name = f"edge {len(self.edges) + len(self.dead)}"
        self.edges.append(EdgeProcess(self.clock, self.store, self.api, name))

    def start_worker(self) -> None:
        name = f"worker {len(self.workers) + len(self.dead)}"
        worker = WorkerProcess(self.clock, self.store, self.api, name, self._on_write)
        self.workers.append(worker)

    @property
    def processes(self) -> list[Process]:
        return [*self.edges, *self.workers]

    def kill(self, process: Process, applied: int = 0) -> None:
        process.kill(applied)
        self.dead.append(process)
        if isinstance(process, EdgeProcess):
            self.edges.remove(process)
        elif isinstance(process, WorkerProcess):
            self.workers.remove(process)

    def _on_write(self, upstream: ModelUpstream, payload: bytes) -> None:
        """A worker writes upstream: no other may act for the session in a later epoch."""
        mine = upstream.link
        for other in self.workers:
            epoch = other.epochs.get(mine.session, 0)
            if epoch > mine.epoch:
                self.unjust_writes.append(
                    f"{upstream.worker.name} in {mine.epoch} wrote {payload[:60]!r},"
                    f" though {other.name} has epoch {epoch}"
                )

    # Time

    @property
    def upstreams(self) -> Iterator[ModelUpstream]:
        for process in (*self.workers, *self.dead):
            for socket in process.sockets:
                if isinstance(socket, ModelUpstream):
                    yield socket

    @property
    def client_sockets(self) -> Iterator[ClientSocket]:
        for process in (*self.edges, *self.dead):
            for socket in process.sockets:
                if isinstance(socket, ClientSocket):
                    yield socket

    @property
    def pipes(self) -> list[Pipe]:
        """All that holds something."""
        sockets: list[ModelUpstream | ClientSocket] = [*self.upstreams, *self.client_sockets]
        pipes = [
            *(process.bus.writer for process in self.processes),
            *(pipe for socket in sockets for pipe in (socket.up, socket.down)),
        ]
        return [pipe for pipe in pipes if pipe.items]

    def settle(self) -> None:
        """Let everything happen that happens now."""
        for _ in range(TURNS):
            moved = [process.run_ready() for process in self.processes]
            moved += [self._flow(pipe) for pipe in self.pipes]
            moved += [self._read(process) for process in self.processes]
            if not any(moved):
                self.check()
                return
        raise AssertionError("it never comes to rest")

    def _flow(self, pipe: Pipe) -> bool:
        silent = not self.store.up or self.store.frozen is not None
        if pipe.held or (silent and any(p.bus.writer is pipe for p in self.processes)):
            return False
        return pipe.flow()

    def _read(self, process: Process) -> bool:
        return process.running and not process.bus.reader_held and process.bus.read()

    def advance(self, seconds: float) -> None:
        """Time passes."""
        until = self.clock.now + seconds
        self.settle()
        while True:
            timers = [p.loop.next_timer for p in self.processes if p.running]
            due = min((timer for timer in timers if timer is not None), default=until)
            if due >= until:
                break
            self.clock.now = max(self.clock.now, due)
            self.settle()
        self.clock.now = until
        self.settle()
        self._bury()

    def _bury(self) -> None:
        for worker in list(self.workers):
            if worker.drained:
                self.kill(worker, len(worker.bus.writer.items))

    def resume(self, edge: int, older: int = 0) -> None:
        """The client comes back, to this edge, with its newest ticket or an older one."""
        if self.edges:
            self.client.older = older
            if self.doubtful:
                self.client.may_repeat |= self.client.heard.keys()
            self.client.connect(self.edges[edge % len(self.edges)])

    # What must hold all the time

    def check(self) -> None:
        assert not self.unjust_writes, self.unjust_writes[0]
        for edge in self.edges:
            for connection in edge.connections:
                self._check_sender(connection.link.sender)
                queued = [len(relay.payload) for relay in connection._downlink._relays if relay.seq]
                assert sum(queued) <= WINDOW_BYTES + max(queued, default=0)
        for worker in self.workers:
            for session in worker.sessions:
                self._check_sender(session.link.sender)

    def _check_sender(self, sender: Sender) -> None:
        assert sender.released <= sender.received <= sender.sent < sender.next
        flying = [
            size_of(item.payload)
            for item in sender._kept.values()
            if sender.received < item.seq <= sender.sent and item.seq > sender._urgent
        ]
        assert sum(flying) <= WINDOW_BYTES or len(flying) == 1
        assert sender.kept_bytes <= KEPT_BYTES

    # What is there

    @property
    def socket(self) -> Socket | None:
        """The Live API's newest open connection."""
        return next(self.api.open, None)

    def upstream_of(self, socket: Socket) -> ModelUpstream:
        return next(upstream for upstream in self.upstreams if upstream.socket is socket)

    # The end

    def restore_means(self) -> None:
        """All faults are over."""
        self.store.up = True
        frozen, self.store.frozen = self.store.frozen or [], None
        for future in frozen:
            if not future.done():
                future.set_result(None)
        for pipe in self.pipes:
            pipe.held = False
        for process in self.processes:
            process.bus.writer.held = False
            process.bus.reader_held = False
            process.frozen = False
        for upstream in self.upstreams:
            upstream.up.held = upstream.down.held = False
        for socket in self.client_sockets:
            socket.up.held = socket.down.held = False
        for socket in self.half_open:
            socket.noticed()
        self.half_open.clear()
        self.api.refusals.clear()
        if not self.edges:
            self.start_edge()
        if all(worker.draining for worker in self.workers):
            self.start_worker()

    def calm_down(self) -> None:
        """With all means back, nobody waits for ever and nothing is lost."""
        self.restore_means()
        client = self.client
        if not client.connects:
            client.connect(self.edges[0])
        self.advance(0.5)
        answered: list[bytes] = []
        last_words = False
        for second in range(SETTLE_S):
            if client.lost_session and not client.connected:
                return
            if not client.connected:
                self.resume(second)
            if client.live and not last_words:
                last_words = True
                client.say("turn", 0)
            self.advance(1)
            client.ack()
            client.flow()
            self.settle()
            socket = self.socket
            if socket is None:
                continue
            if socket.content != answered or socket.speaking or socket.calls:
                answered = list(socket.content)
                self.api.cancel(socket)
                self.api.write(socket)
                self.api.complete(socket)
                self.api.save(socket)
            self.advance(0)
            if last_words and self.is_done(socket):
                break
        self.check_end()

    def is_done(self, socket: Socket) -> bool:
        client = self.client
        return (
            client.live
            and not client.check_content(socket.content)
            and not client.missing(socket.told)
            and not client.kept
            and socket.open
        )

    def check_end(self) -> None:
        socket = self.socket
        client = self.client
        assert client.connected, f"not connected: {client.closes}"
        assert client.live, "the client waits for ever"
        assert socket is not None, "nobody speaks with the Live API"
        missing = client.check_content(socket.content)
        assert not missing, f"not in the model's state: {missing}"
        lost = client.missing(socket.told)
        assert not lost, f"not heard: {[(n, self.api.said[n].kind) for n in lost]}"
        assert not client.kept, f"kept for ever: {client.kept}"

    def say_goodbye(self) -> None:
        """The client ends the session: nothing of it stays."""
        self.client.bye()
        for _ in range(END_S):
            self.advance(1)
            if self.is_empty:
                break
        assert not any(worker.sessions for worker in self.workers), "a worker keeps the session"
        assert not any(edge.gateway.exchange.members for edge in self.edges), "an edge keeps it"
        assert self.socket is None, "an upstream socket stays open"

    @property
    def is_empty(self) -> bool:
        return not (
            any(worker.sessions for worker in self.workers)
            or any(edge.gateway.exchange.members for edge in self.edges)
            or self.socket is not None
        )

    def end(self) -> None:
        """End every process, whatever its state."""
        for process in list(self.processes):
            self.kill(process)
