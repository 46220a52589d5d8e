"""Invariants of the design by their numbers: what must hold whatever fails."""

import asyncio
import contextlib
import random
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from livegate import frame
from livegate.closes import GOOGLE_CODES
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.live_api import live_api
from tests.support.processes import until
from tests.support.stack import stack
from tests.support.storyteller import Session, digest, storyteller
from tests.system.talker import Event, Talker, everybody, talking, wrongs
from tests.system.test_integrity import Ledger, talk

pytestmark = pytest.mark.asyncio(loop_scope="module")

VERTEX = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
RESUMING = {"RESUMPTION": "1"}


# 3: one worker acts


async def forged(redis: Redis) -> None:
    """Frames of former owners and edges, for every session, with every number that could fit."""
    for key in [key async for key in redis.scan_iter(b"session:*")]:
        session = bytes.fromhex(key.split(b":")[1].decode())
        known = await redis.hgetall(key)
        text = b'{"serverContent":{"modelTurn":{"parts":[{"text":"forged"}]}},"n":"forged"}'
        question = b'{"realtimeInput":{"text":"forged"}}'
        for epoch in range(int(known[b"epoch"])):
            down: dict[Any, Any] = {}
            up: dict[Any, Any] = {}
            for seq in range(1, 2000):
                header = frame.pack_header(frame.CONTENT, session, epoch, seq, 0, 2000, 0)
                down[header] = text
                up[header] = question
            assert await redis.xadd(known[b"edge"], down, nomkstream=True)
            assert await redis.xadd(known[b"owner"], up, nomkstream=True)


async def test_invariant_3_a_frozen_owner_acts_no_more(tmp_path: Path) -> None:
    """It wakes up after others took over: it writes nothing upstream, what it says is refused."""
    async with (
        storyteller() as teller,
        stack(tmp_path, upstream=teller.api.url, workers=1, env=RESUMING) as system,
        Redis.from_url(system.redis_url) as redis,
    ):
        async with talking(teller, [system.ws], 4) as talkers:
            await system.start_worker()
            frozen = system.workers[0].process
            frozen.send_signal(signal.SIGSTOP)
            try:
                await until(lambda: teller.connections == 2 * len(talkers), "all are taken over")
                former = [s.connections[0] for s in teller.sessions.values()]
                heard = [list(connection.heard) for connection in former]
                await everybody(talkers)
                for connection in former:
                    late = {"modelTurn": {"parts": [{"text": "late"}]}}
                    await connection.upstream.send({"serverContent": late, "n": "late"})
            finally:
                frozen.send_signal(signal.SIGCONT)
            for connection in former:
                await connection.upstream.socket.wait_closed()
            await forged(redis)
            await everybody(talkers)
        assert [connection.heard for connection in former] == heard
        assert teller.connections == 2 * len(talkers), "nobody else connected"
        for talker in talkers:
            session = teller.sessions[talker.name]
            assert session.content == talker.said
            assert wrongs(talker, session) == []


# 4 and 5: what was said, and what was heard


@dataclass(frozen=True)
class Outcome:
    """What all conversations said and heard, and what the model has of it."""

    talkers: list[Talker]
    sessions: dict[str, Session]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcome(folder: Path) -> Outcome:
    """Six conversations through all faults: alone, at once, and the worst of them."""
    rng = random.Random(45)
    async with (
        storyteller() as teller,
        stack(folder, upstream=teller.api.url, edges=2, env=RESUMING) as system,
        Redis.from_url(system.redis_url) as redis,
    ):
        async with talking(teller, [system.ws, system.others[0][0]], 6) as talkers:
            teller.ending.clear()
            await until(lambda: all(t.hears_a_turn for t in talkers), "all are in mid-turn")
            system.workers[0].process.kill()
            teller.ending.set()
            await system.start_worker()
            await everybody(talkers)
            for talker in talkers:
                talker.client.cut()
            await redis.flushall()
            await everybody(talkers)
            system.workers[1].process.kill()
            await redis.flushall()
            for talker in rng.sample(talkers, 3):
                talker.client.cut()
            await system.start_worker()
            await everybody(talkers)
            system.edge.process.kill()
            for worker in system.workers[2:]:
                worker.process.kill()
            await system.start_worker()
            await everybody(talkers)
        return Outcome(list(talkers), teller.sessions)


async def test_invariant_4_each_message_counts_once(outcome: Outcome) -> None:
    """Workers, edge and Redis fail, clients are cut: the model has what was said, in order."""
    for talker in outcome.talkers:
        session = outcome.sessions[talker.name]
        assert len(session.connections) >= 3
        assert session.content == talker.said
        assert talker.client.log.trouble == []


async def test_invariant_5_each_answer_is_heard_once(outcome: Outcome) -> None:
    """In order; what is cut is announced; who is told that nothing is missing misses nothing."""
    kinds: set[str] = set()
    notes: set[str] = set()
    for talker in outcome.talkers:
        assert wrongs(talker, outcome.sessions[talker.name]) == []
        kinds |= {event.kind for event in talker.events}
        notes |= {text for _, text in talker.client.log.notes}
    assert {"interrupted", "toolCallCancellation"} <= kinds
    assert {"recovered True", "recovered False", "resuming", "moved"} <= notes


async def test_invariant_5_no_fault_escapes_this_check(outcome: Outcome) -> None:
    """The check itself: a message that is lost, doubled or late, or a cut without a word."""
    talker = max(outcome.talkers, key=lambda t: sum(e.kind == "interrupted" for e in t.events))
    session = outcome.sessions[talker.name]
    events = talker.events
    cut = next(at for at, event in enumerate(events) if event.kind == "interrupted")
    at = next(at for at, event in enumerate(events) if event.kind == "modelTurn") + 2
    for broken in (
        events[:cut] + events[cut + 1 :],
        events[:at] + events[at + 1 :],
        [*events[:at], events[at], *events[at:]],
        [*events[:at], events[at + 1], events[at], *events[at + 2 :]],
        [*events[:at], events[cut], *events[at:]],
        [*events, Event(events[-1].connection, "modelTurn", "of nobody", [])],
    ):
        talker.events = broken
        assert wrongs(talker, session) != []
    talker.events = events


# 8: what Google's server would not send

ASKS: dict[str, tuple[str, dict[str, object], list[Subprotocol] | None]] = {
    "plain": ("/ws", {}, None),
    "another subprotocol": ("/ws", {}, [Subprotocol("livegate.v2"), Subprotocol("chat")]),
    "resuming": (VERTEX, {"sessionResumption": {"transparent": True}}, None),
}


class Google:
    """A client that asks on, even for what is livegate's, and keeps all that it gets."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path, self.more, self.subprotocols = ASKS[name]
        self.got: list[bytes] = []
        self.code: int | None = None
        self.subprotocol: str | None = "?"

    async def run(self, url: str) -> None:
        async with connect(url + self.path, subprotocols=self.subprotocols) as client:
            self.subprotocol = client.subprotocol
            setup = {"model": "gemini-3.8-live", "labels": {"test": self.name}, **self.more}
            await client.send(msgspec.json.encode({"setup": setup, "livegate": {"ack": 0}}))
            asking = asyncio.create_task(self._ask(client))
            with contextlib.suppress(ConnectionClosed):
                while True:
                    self.got.append(await client.recv(decode=False))
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            self.code = client.close_code

    async def _ask(self, client: ClientConnection) -> None:
        while True:
            text = {"realtimeInput": {"text": "and then?"}, "livegate": {"ack": len(self.got)}}
            await client.send(msgspec.json.encode(text))
            await asyncio.sleep(0.2)  # the pace of a client that waits for no answer

    @property
    def turns(self) -> int:
        return sum(b'"turnComplete":true' in data for data in self.got)

    @property
    def hears_a_turn(self) -> bool:
        return bool(self.got) and b'"modelTurn"' in self.got[-1]

    def allowed(self, data: bytes) -> bool:
        """Whether a message of the gateway's own has a form that Google's has, and was due."""
        match msgspec.json.decode(data):
            case {"setupComplete": {}, **rest}:
                return not rest and data == self.got[0]
            case {"serverContent": {"interrupted": True, **more}, **rest}:
                return not more and not rest
            case {"toolCallCancellation": {"ids": [*_], **more}, **rest}:
                return not more and not rest
            case {"sessionResumptionUpdate": {"newHandle": str(), "resumable": True}, **rest}:
                return not rest and bool(self.more)
            case {"goAway": {"timeLeft": str(), **more}, **rest}:
                return not more and not rest
        return False


async def test_invariant_8_others_see_what_google_sends(tmp_path: Path) -> None:
    """Through takeovers, an emptied Redis and a drained edge: Google's messages and codes only."""
    async with (
        storyteller() as teller,
        stack(tmp_path, upstream=teller.api.url, env=RESUMING | {"DRAIN_S": "1"}) as system,
        Redis.from_url(system.redis_url) as redis,
        asyncio.TaskGroup() as group,
    ):
        clients = [Google(name) for name in ASKS]
        for client in clients:
            group.create_task(client.run(system.ws))

        async def more() -> None:
            goals = {client: client.turns + 2 for client in clients}
            await until(lambda: all(c.turns >= g for c, g in goals.items()), "all go on", 30)

        await more()
        teller.ending.clear()
        await until(lambda: all(c.hears_a_turn for c in clients), "all are in mid-turn")
        system.workers[0].process.kill()
        teller.ending.set()
        await more()
        await redis.flushall()
        await more()
        await system.workers[1].stop()
        await system.start_worker()
        await more()
        system.edge.process.send_signal(signal.SIGTERM)
        await until(lambda: all(client.code for client in clients), "all are closed", 30)
        for client in clients:
            if not client.more:  # it can't come back: its session has ended
                await teller.sessions[client.name].connections[-1].upstream.socket.wait_closed()
    forms: set[str] = set()
    for client in clients:
        told = {n for c in teller.sessions[client.name].connections for n in c.told}
        own = [data for data in client.got if digest(data) not in told]
        assert [data for data in own if not client.allowed(data)] == []
        forms |= {name for data in own for name in msgspec.json.decode(data)}
        assert client.code == 1001
        assert client.code in GOOGLE_CODES
        assert client.subprotocol is None
    wanted = {"setupComplete", "serverContent", "sessionResumptionUpdate", "goAway"}
    assert wanted <= forms, "all of them were put to the test"


# 10: an emptied Redis

SESSIONS, FLUSHES = 20, 10


async def test_invariant_10_redis_emptied_under_load(tmp_path: Path) -> None:
    """FLUSHALL again and again, at any moment: every session goes on, and new ones begin."""
    rng = random.Random(10)
    ledger = Ledger()
    enough = asyncio.Event()
    tasks: dict[str, asyncio.Task[int]] = {}
    async with (
        live_api(on_message=ledger.on_message) as api,
        stack(tmp_path, upstream=api.url) as system,
        Redis.from_url(system.redis_url) as redis,
        asyncio.TaskGroup() as group,
    ):

        def begin() -> None:
            name = f"s{len(tasks)}"
            tasks[name] = group.create_task(talk(system, name, enough, 20))

        for _ in range(SESSIONS):
            begin()
        await until(lambda: len(ledger.counts) == SESSIONS, "all talk")
        for _ in range(FLUSHES):
            goal = sum(ledger.counts.values()) + rng.randrange(1, 200)
            await until(lambda goal=goal: sum(ledger.counts.values()) >= goal, "more is said")
            await redis.flushall()
            begin()
        await until(lambda: len(ledger.counts) == len(tasks), "those that were late talk, too")
        enough.set()
    assert ledger.wrong == []
    assert {name: task.result() for name, task in tasks.items()} == ledger.counts
    assert len(api.connections) == SESSIONS + FLUSHES, "each kept its upstream connection"
