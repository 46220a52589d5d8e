"""What may happen to a conversation, as rules of a state machine; what must hold stands in `World`
and `Client`.
"""

from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.machines.client import Client
from tests.machines.page import Page
from tests.machines.processes import Process, WorkerProcess
from tests.machines.transport import Pipe
from tests.machines.world import World

MAX_EDGES, MAX_WORKERS = 3, 3
few = st.integers(0, 4)
which = st.integers(0, 7)
words = st.lists(st.sampled_from(["text", "audio", "audio", "tool", "turn"]), max_size=4)
acts = st.lists(
    st.sampled_from(["speak", "speak", "write", "call", "cancel", "interrupt", "complete", "save"]),
    max_size=5,
)
HOLDS = ["client up", "client down", "api up", "api down", "edge writer", "worker writer"]
nothing: list[str] = []
holds = st.one_of(st.just(nothing), st.lists(st.sampled_from(HOLDS), max_size=2))


class Conversation(RuleBasedStateMachine):
    """One conversation in a world where much goes wrong."""

    client_class: ClassVar[type[Client]] = Page

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.client_class)

    @property
    def client(self) -> Client:
        return self.world.client

    @initialize(live=st.sampled_from([True, True, False]), first=words, last=st.booleans())
    def begin(self, live: bool, first: list[str], last: bool) -> None:
        self.client.connect(self.world.edges[0])
        self.world.settle()
        if live:
            self.world.advance(0.3)
            assert self.client.live
            self._talk(first, ["speak", "complete", "save"] if last else [], 600)

    # The conversation

    @rule(
        said=words,
        answered=acts,
        saved=st.sampled_from([None, None, 0, 1, 2]),
        size=st.sampled_from([0, 600, 600, 40_000]),
        held=holds,
        ack=st.booleans(),
    )
    def talk(
        self,
        said: list[str],
        answered: list[str],
        saved: int | None,
        size: int,
        held: list[str],
        ack: bool,
    ) -> None:
        """Client and model talk; `held` is where messages get stuck from now on."""
        for name in held:
            self._pipe(name).held = True
            self.world.doubtful |= "writer" in name
        self._talk(said, answered, size)
        socket = self.world.socket
        if saved is not None and socket is not None:
            self.world.api.cancel(socket)
            self.world.api.complete(socket)
            self.world.api.save(socket, saved)
            self.world.settle()
        if ack:
            self.client.ack()
            self.world.settle()

    def _talk(self, said: list[str], answered: list[str], size: int) -> None:
        for kind in said:
            self.client.say(kind, size)
        self.world.settle()
        for act in answered:
            socket = self.world.socket
            if socket is not None:
                arguments = [size] if act == "speak" else []
                getattr(self.world.api, act)(socket, *arguments)
        self.world.settle()

    def _pipe(self, name: str) -> Pipe:
        world = self.world
        client, socket = self.client.socket, world.socket
        if name.startswith("client") and client is not None:
            return client.up if name == "client up" else client.down
        if name.startswith("api") and socket is not None:
            upstream = world.upstream_of(socket)
            return upstream.up if name == "api up" else upstream.down
        if name == "edge writer" and client is not None and client.edge.alive:
            return client.edge.bus.writer
        owners = [worker for worker in world.workers if worker.sessions]
        return (owners or world.processes)[0].bus.writer

    @precondition(lambda self: self.held)
    @rule(number=which, count=st.sampled_from([1, 2, 3, 100]), on=st.booleans())
    def let_go(self, number: int, count: int, on: bool) -> None:
        pipe = self.held[number % len(self.held)]
        pipe.flow(count)
        pipe.held = not on
        self.world.settle()

    @property
    def held(self) -> list[Pipe]:
        return [pipe for pipe in self.world.pipes if pipe.held]

    @rule(
        seconds=st.sampled_from([0.1, 0.6, 1.5, 3.2, 3.2, 8.0, 16.0]),
        edge=which,
        back=st.booleans(),
    )
    def wait(self, seconds: float, edge: int, back: bool) -> None:
        if back:
            self.come_back(edge, 0)
        self.world.advance(seconds)

    # The client

    @precondition(lambda self: self.client.connected and self.client.resumes)
    @rule(up=few, down=few, half_open=st.booleans())
    def cut_client(self, up: int, down: int, half_open: bool) -> None:
        socket = self.client.socket
        assert socket is not None
        if half_open:
            self.world.half_open.append(socket)
        socket.cut(up, down, half_open=half_open)
        self.world.settle()

    @precondition(lambda self: self.world.half_open)
    @rule()
    def edge_notices(self) -> None:
        self.world.half_open.pop(0).noticed()
        self.world.settle()

    @precondition(lambda self: not self.client.connected)
    @rule(edge=which, older=st.sampled_from([0, 0, 1, 2]))
    def come_back(self, edge: int, older: int) -> None:
        if not self.client.connected and not self.client.lost_session:
            self.world.resume(edge, older)
            self.world.settle()

    # The Live API

    @precondition(lambda self: self.world.socket)
    @rule(
        fault=st.sampled_from(["go away", "reset", "hang up", "refuse"]),
        seconds=st.sampled_from([0.0, 1.0, 5.0, 50.0]),
        up=few,
        down=few,
    )
    def upstream_fails(self, fault: str, seconds: float, up: int, down: int) -> None:
        socket = self.world.socket
        assert socket is not None
        if fault == "go away":
            self.world.api.go_away(socket, seconds)
        elif fault == "reset":
            self.world.upstream_of(socket).reset(up, down)
        elif fault == "hang up":
            self.world.api.hang_up(socket, (1011, 1006, 1001)[up % 3], "passing")
        else:
            self.world.api.refusals += [(1011, "internal error")] * up
            self.world.upstream_of(socket).reset(up, down)
        self.world.settle()

    # Redis

    @rule(
        fault=st.sampled_from(["cut", "read again", "hold reader", "empty", "late"]),
        number=which,
        count=few,
        late=st.booleans(),
    )
    def redis_fails(self, fault: str, number: int, count: int, late: bool) -> None:
        self.world.doubtful = True
        bus = self._process(number).bus
        if fault == "empty":
            self.world.store.flush()
            self.world.advance(0.12 * count)  # some processes know it, others don't
        elif fault == "hold reader":
            bus.reader_held = not bus.reader_held
        elif fault == "late":
            for process in self.world.processes:
                if process.bus.late:
                    process.bus.late_write()
        elif not self._process(number).frozen:
            if fault == "read again":
                bus.read_again(3 * count)
            elif bus.connected:
                bus.cut(count, late=late)
        self.world.settle()

    # Processes

    def _process(self, number: int) -> Process:
        """0: the client's edge, 1: the session's worker."""
        processes: list[Process] = [*self.world.processes]
        client = self.client.socket
        if number == 0 and client is not None and client.edge.alive:
            return client.edge
        owners = [worker for worker in self.world.workers if worker.sessions]
        if number == 1 and owners:
            return owners[0]
        return processes[number % len(processes)]

    @rule(number=st.sampled_from([0, 1, 1, 1, 3, 5]), applied=few, again=st.booleans())
    def kill(self, number: int, applied: int, again: bool) -> None:
        process = self._process(number)
        if isinstance(process, WorkerProcess):
            self.world.kill(process, applied)
            if again and len(self.world.workers) < MAX_WORKERS:
                self.world.start_worker()
        elif self.client.resumes:
            if len(self.world.edges) == 1 or again:
                self.world.start_edge()
            self.world.doubtful = True
            self.world.kill(process, applied)
        self.world.settle()

    @rule(number=st.sampled_from([0, 1, 1, 3, 5]), seconds=st.sampled_from([0.0, 2.0, 4.0, 12.0]))
    def freeze(self, number: int, seconds: float) -> None:
        self.world.doubtful = True
        self._process(number).frozen = True
        self.world.advance(seconds)

    @precondition(lambda self: any(process.frozen for process in self.world.processes))
    @rule(first=st.sampled_from(["frames", "heartbeat"]))
    def thaw(self, first: str) -> None:
        process = next(process for process in self.world.processes if process.frozen)
        process.frozen = False
        if first == "frames":
            process.bus.read()
        process.run_ready()
        self.world.settle()

    @precondition(lambda self: any(not worker.draining for worker in self.world.workers))
    @rule(number=few)
    def hand_over(self, number: int) -> None:
        workers = [worker for worker in self.world.workers if not worker.draining]
        owners = [worker for worker in workers if worker.sessions]
        (owners or workers)[number % len(owners or workers)].drain()
        if len(workers) == 1:
            self.world.start_worker()
        self.world.settle()

    def teardown(self) -> None:
        try:
            self.world.calm_down()
            self.world.say_goodbye()
        finally:
            self.world.end()
