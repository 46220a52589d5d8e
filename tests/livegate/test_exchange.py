"""The exchange: frames find their session, and what a peer suffers each of its sessions hears."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from livegate import frame, keys, steering
from livegate.channel import Receiver, Sender
from livegate.exchange import Exchange
from livegate.frame import Frame
from livegate.link import Link
from livegate.liveness import Pulse
from livegate.steering import Command, Event, Refusal, State
from redis.asyncio import Redis
from structlog.testing import capture_logs

from tests.support.processes import until

PEER, OTHER = b"worker:peer:in", b"worker:other:in"
NOWHERE = "redis://127.0.0.1:1/0"


class Session:
    """A `exchange.Member` that notes what it is told."""

    def __init__(self, exchange: Exchange, number: int = 1) -> None:
        self.exchange = exchange
        self.link = Link(bytes([number] * 16), Sender(), Receiver())
        self.frames: list[Frame] = []
        self.told: list[str] = []

    def push(self, payload: bytes) -> None:
        self.link.sender.push(frame.TEXT, payload, 0.0)
        self.pump()

    def pump(self) -> None:
        self.exchange.send(self.link.peer, self.link.pump(0.0))

    def on_frame(self, incoming: Frame, now: float) -> None:
        del now
        if self.link.accept(incoming):
            self.frames.append(incoming)
            self.link.receiver.consume(incoming.payload)
        self.pump()

    def resync(self, now: float) -> None:
        del now
        self.told.append("resync")
        self.link.sender.rewind()
        self.exchange.send(self.link.peer, [self.link.control(0)])
        self.pump()

    def peer_dead(self, now: float) -> None:
        del now
        self.told.append("dead")

    def lapsed(self, now: float) -> None:
        del now
        self.told.append("lapsed")

    def tick(self, now: float) -> None:
        del now
        self.told.append("tick")
        if self.link.receiver.untold:
            self.exchange.send(self.link.peer, [self.link.control(0)])

    def failed(self) -> None:
        self.told.append("failed")


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    """One that is not connected."""
    result = Exchange(NOWHERE, b"edge:own:out")
    yield result
    await result.bus.redis.aclose()


def joined(exchange: Exchange, number: int, peer: bytes = PEER) -> Session:
    session = Session(exchange, number)
    exchange.join(session)
    exchange.attach(session, peer, 1)
    return session


def incoming(number: int, seq: int = 1) -> Frame:
    return Frame(frame.TEXT, bytes([number] * 16), 1, seq, 0, 0, 0, b"x")


async def test_a_frame_finds_its_session(exchange: Exchange) -> None:
    one, other = joined(exchange, 1), joined(exchange, 2)
    exchange.on_frame(incoming(2))
    exchange.on_frame(incoming(3))
    assert (one.frames, other.frames) == ([], [incoming(2)])


async def test_one_that_left_hears_nothing(exchange: Exchange) -> None:
    one, other = joined(exchange, 1), joined(exchange, 2)
    exchange.leave(one)
    exchange.on_frame(incoming(1))
    exchange.on_connected()
    exchange.on_peer(PEER, Pulse.DEAD)
    assert (one.frames, one.told) == ([], [])
    assert other.told == ["resync", "dead"]


async def test_a_successor_is_not_taken_away_with_its_predecessor(exchange: Exchange) -> None:
    former = joined(exchange, 1)
    successor = joined(exchange, 1)
    exchange.leave(former)
    exchange.on_frame(incoming(1))
    assert successor.frames == [incoming(1)]


async def test_a_peers_trouble_is_told_to_its_sessions_alone(exchange: Exchange) -> None:
    one, two, other = (
        joined(exchange, 1),
        joined(exchange, 2),
        joined(exchange, 3, OTHER),
    )
    exchange.on_peer(PEER, Pulse.EMPTIED)
    exchange.on_peer(PEER, Pulse.DEAD)
    assert one.told == two.told == ["resync", "dead"]
    assert other.told == []


async def test_one_that_moved_hears_of_its_new_peer_alone(exchange: Exchange) -> None:
    one = joined(exchange, 1)
    exchange.attach(one, OTHER, 2)
    exchange.on_peer(PEER, Pulse.DEAD)
    exchange.on_peer(OTHER, Pulse.EMPTIED)
    assert one.told == ["resync"]
    assert (one.link.peer, one.link.epoch) == (OTHER, 2)


async def test_a_peer_is_watched_while_it_has_sessions(exchange: Exchange) -> None:
    one, two = joined(exchange, 1), joined(exchange, 2)
    exchange.leave(one)
    assert set(exchange.bus._peers) == {PEER}
    exchange.attach(two, OTHER, 2)
    assert set(exchange.bus._peers) == {OTHER}
    exchange.leave(two)
    assert exchange.bus._peers == {}


async def test_sessions_of_one_peer_share_a_budget_and_give_back_what_they_used(
    exchange: Exchange,
) -> None:
    one, two, other = (
        joined(exchange, 1),
        joined(exchange, 2),
        joined(exchange, 3, OTHER),
    )
    budget = one.link.sender.budget
    assert two.link.sender.budget is budget
    assert other.link.sender.budget is not budget
    one.push(b"x" * 100)
    two.push(b"x" * 100)
    assert budget.used_bytes > 200
    exchange.leave(one)
    exchange.attach(two, OTHER, 2)
    assert budget.used_bytes == 0
    assert two.link.sender.budget is other.link.sender.budget
    two.pump()
    assert other.link.sender.budget.used_bytes > 100


async def test_a_mailbox_that_is_gone_is_tried_once_for_many_replies(exchange: Exchange) -> None:
    one, other = joined(exchange, 1), joined(exchange, 2, OTHER)
    for _ in range(5):
        exchange.on_mailbox_gone(PEER)
        exchange.on_mailbox_gone(b"worker:nobody:in")
    assert one.told == []
    await until(lambda: one.told, "it is tried again")
    assert one.told == ["resync"]
    exchange.on_mailbox_gone(PEER)
    await until(lambda: one.told == ["resync"] * 2, "and again")
    assert other.told == []


async def test_a_lapse_is_told_to_all(exchange: Exchange) -> None:
    one, other = joined(exchange, 1), joined(exchange, 2, OTHER)
    exchange.on_lapse()
    assert one.told == other.told == ["lapsed"]


async def test_a_lapse_may_end_a_session(exchange: Exchange) -> None:
    one, other = joined(exchange, 1), joined(exchange, 2)
    one.lapsed = lambda _: exchange.leave(other)  # type: ignore[method-assign, assignment]
    other.lapsed = lambda _: exchange.leave(one)  # type: ignore[method-assign, assignment]
    exchange.on_lapse()
    assert exchange.members == {}


Written = list[tuple[bytes, Frame]]


@pytest.fixture
def written(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Written:
    """What goes to the bus: mailbox and frame."""
    frames: Written = []

    def send(mailbox: bytes, header: bytes, payload: bytes) -> None:
        frames.append((mailbox, frame.unpack(header, payload)))

    monkeypatch.setattr(exchange.bus, "send", send)
    return frames


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (frame.CLAIM, frame.FENCE),
        (frame.JOIN, frame.FENCE | frame.JOIN),
        (frame.ECHO, frame.FENCE | frame.JOIN),
    ],
)
async def test_who_asks_for_a_session_that_is_not_here_is_told(
    exchange: Exchange, written: Written, asked: int, answer: int
) -> None:
    """A claim's worker lets go; an edge that joins begins again."""
    session = bytes([9] * 16)
    exchange.on_frame(Frame(asked, session, 4, 0, 0, 0, 0, OTHER))
    assert written == [(OTHER, Frame(answer, session, 5, 0, 0, 0, 0, b""))]


async def test_an_answer_for_a_session_that_is_not_here_is_dropped(
    exchange: Exchange, written: Written
) -> None:
    exchange.on_frame(Frame(frame.ECHO, bytes([9] * 16), 4, 0, 0, 0, 0, b""))
    assert written == []


@pytest.mark.parametrize("kinds", [0, frame.TEXT, frame.AWAY, frame.FENCE])
async def test_other_frames_of_a_session_that_is_not_here_are_dropped(
    exchange: Exchange, written: Written, kinds: int
) -> None:
    exchange.on_frame(Frame(kinds, bytes([9] * 16), 4, 1, 0, 0, 0, OTHER))
    assert written == []


async def test_without_a_mailbox_nothing_is_written(exchange: Exchange, written: Written) -> None:
    session = joined(exchange, 1)
    exchange.detach(session)
    session.resync(0.0)
    session.push(b"x")
    assert written == []
    exchange.attach(session, OTHER, 2)
    session.pump()
    assert [(to, sent.seq) for to, sent in written] == [(OTHER, 1)]


async def test_every_session_gets_a_tick(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livegate.exchange.TICK_S", 0.01)
    one, other = joined(exchange, 1), joined(exchange, 2)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(exchange.run())
        await until(lambda: one.told.count("tick") == other.told.count("tick") >= 2, "two ticks")
        task.cancel()


# Two exchanges on a real Redis


@contextlib.asynccontextmanager
async def running(url: str, mailbox: bytes) -> AsyncIterator[Exchange]:
    exchange = Exchange(url, mailbox)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(exchange.run())
        await until(lambda: exchange.bus.connected and not exchange.bus.problem, "ready")
        yield exchange
        task.cancel()


async def test_a_channel_waits_for_a_mailbox_and_then_tells_by_the_tick(redis_url: str) -> None:
    edge_box, worker_box = keys.edge_mailbox("e"), keys.worker_mailbox("w")
    async with running(redis_url, edge_box) as edge:
        here = joined(edge, 1, worker_box)
        here.push(b"one")
        here.push(b"two")
        await until(lambda: here.told.count("resync") >= 2, "tried again and again")
        async with running(redis_url, worker_box) as worker:
            there = joined(worker, 1, edge_box)
            await until(lambda: len(there.frames) == 2, "both arrive")
            await until(lambda: here.link.sender.received == 2, "a tick tells it")
            assert [f.payload for f in there.frames] == [b"one", b"two"]
            assert here.link.sender.budget.used_bytes == 0


@pytest.mark.usefixtures("fast_heartbeat")
async def test_a_peer_that_dies_is_told(redis_url: str) -> None:
    edge_box, worker_box = keys.edge_mailbox("e"), keys.worker_mailbox("w")
    async with running(redis_url, edge_box) as edge:
        async with running(redis_url, worker_box) as worker:
            here, there = joined(edge, 1, worker_box), joined(worker, 1, edge_box)
            here.push(b"one")
            await until(lambda: there.frames, "it arrives")
        await until(lambda: "dead" in here.told, "it is dead")


async def test_an_emptied_redis_loses_nothing(redis_url: str, admin: Redis) -> None:
    edge_box, worker_box = keys.edge_mailbox("e"), keys.worker_mailbox("w")
    async with running(redis_url, edge_box) as edge, running(redis_url, worker_box) as worker:
        here, there = joined(edge, 1, worker_box), joined(worker, 1, edge_box)
        for number in range(1, 4):
            await admin.flushall()
            for end in (here, there):
                end.push(b"%d" % number)
            await until(lambda n=number: len(there.frames) == len(here.frames) == n, "both arrive")
        assert [f.payload for f in there.frames] == [b"1", b"2", b"3"]


class Broken(Session):
    """Raises whatever it is told; `hopeless`: even when it is to end."""

    hopeless = False

    def on_frame(self, incoming: Frame, now: float) -> None:
        del incoming, now
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "what a client wrote")

    def resync(self, now: float) -> None:
        del now
        raise ValueError

    peer_dead = lapsed = tick = resync

    def failed(self) -> None:
        super().failed()
        if self.hopeless:
            raise RuntimeError


@pytest.mark.parametrize("hopeless", [False, True])
async def test_a_broken_session_ends_alone(exchange: Exchange, *, hopeless: bool) -> None:
    broken, other = Broken(exchange, 1), Session(exchange, 2)
    broken.hopeless = hopeless
    calls: tuple[Callable[[], None], ...] = (
        lambda: exchange.on_frame(Frame(frame.TEXT, broken.link.session, 0, 1, 0, 0, 0, b"x")),
        exchange.on_connected,
        exchange.on_lapse,
        lambda: exchange.on_peer(PEER, Pulse.DEAD),
    )
    for number, call in enumerate(calls, 1):
        for member in (broken, other):
            exchange.join(member)
            exchange.attach(member, PEER, 1)
        call()
        assert broken.told == ["failed"] * number
        assert (broken.link.session in exchange.members) is not hopeless
    exchange.on_frame(Frame(frame.TEXT, other.link.session, 1, 1, 0, 0, 0, b"x"))
    assert other.told == ["resync", "lapsed", "dead"]
    assert [taken.payload for taken in other.frames] == [b"x"]


# Commands and events


def commanded(payload: bytes) -> Frame:
    return frame.unpack(steering.COMMAND_HEADER, payload)


async def test_a_command_is_answered(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr(exchange.bus, "publish", lambda *told: published.append(told))
    taken: list[Command] = []
    command = Command("c1", "end", b"\1" * 16)
    exchange.on_frame(commanded(steering.encode(command)))
    exchange.on_command = taken.append
    with capture_logs() as logs:
        exchange.on_frame(commanded(steering.encode(command)))
    assert taken == [command]
    events = [steering.decode_event(message) for _, message in published]
    of_it = {"command": "c1", "session": "01" * 16, "edge": "own"}
    assert events == [
        Event(state=State.REFUSED, reason=Refusal.UNKNOWN, **of_it),  # type: ignore[arg-type]
        Event(state=State.TAKEN, **of_it),  # type: ignore[arg-type]
    ]
    assert {channel for channel, _ in published} == {keys.EVENTS}
    assert logs == [{"event": "command taken", "log_level": "info", "module": "exchange", **of_it}]


async def test_what_is_no_command_or_fails_ends_nothing(exchange: Exchange) -> None:
    def fails(_: Command) -> None:
        raise RuntimeError("broken")

    exchange.on_command = fails
    with capture_logs() as logs:
        exchange.on_frame(commanded(b"nonsense"))
        exchange.on_frame(commanded(steering.encode(Command("c1", "drain"))))
    assert [line["event"] for line in logs] == ["command failed"] * 2
