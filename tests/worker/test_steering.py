"""An operator's commands to a worker: ends, hand-overs to another worker, the drain."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from livegate import frame, keys
from livegate.dispatch import Dispatch, Offer, Report
from livegate.steering import Event, Refusal, State
from livegate_cli.steer import Refused, Steer, steer
from livegate_worker import machine
from livegate_worker import steering as module
from livegate_worker.worker import Worker
from redis.asyncio import Redis

from tests.cli.played import hear
from tests.support.live_api import live_api
from tests.support.processes import until
from tests.worker.harness import Call, Edge, edge, live, settings, worker
from tests.worker.sessions import claimed, in_state, returning
from tests.worker.sessions import live as live_machine

UP = machine.State


def test_what_can_be_handed_over() -> None:
    assert live_machine(resumable=True).stays is None
    assert live_machine().stays is Refusal.NO_HANDLE
    assert claimed().stays is Refusal.NO_HANDLE
    assert in_state(UP.RELEASING).stays is Refusal.UNDER_WAY
    lost = returning()
    lost.edge_dead(1.0)
    assert lost.stays is Refusal.NO_EDGE


class Scene:
    """A worker, an edge that offers again what is let go, and an operator."""

    def __init__(self, one: Worker, playing: Edge, gateway: Steer) -> None:
        self.one = one
        self.playing = playing
        self.gateway = gateway

    async def command(self, act: str, call: Call | None = None) -> str:
        session = call.session if call else b""
        return await self.gateway.command([self.one.mailbox], act, session)  # type: ignore[arg-type]

    async def refused(self, act: str, call: Call) -> str:
        with pytest.raises(Refused) as caught:
            await self.command(act, call)
        return str(caught.value)

    async def hear(self, state: State) -> Event:
        while True:
            event = await hear(self.gateway)
            if event.state == state:
                return event

    async def offered_again(self, call: Call) -> None:
        """What a real edge does when the owner lets go."""
        await until(lambda: any(f.kinds & frame.RELEASE for f in call.frames), "it is let go")
        offer = Offer(call.session, call.epoch, self.playing.mailbox)
        await self.playing.dispatch.offer(offer, takeover=True)


@contextlib.asynccontextmanager
async def scene(redis_url: str) -> AsyncIterator[Scene]:
    async with (
        live_api() as api,
        worker(redis_url, live_upstream=api.url, resumption=True) as one,
        edge(redis_url) as playing,
        steer(redis_url) as gateway,
    ):
        playing.away_s = 60
        yield Scene(one, playing, gateway)


async def test_another_worker_takes_what_is_handed_over(redis_url: str) -> None:
    async with scene(redis_url) as on, live_api() as api:
        call = await live(on.playing)
        async with worker(redis_url, live_upstream=api.url, resumption=True) as other:
            await until(lambda: _reports(on, 2), "both report")
            await on.command("move", call)
            await on.offered_again(call)
            await until(lambda: call.owner == other.mailbox, "the other has it")
            assert call.epoch == 2


async def _reports(on: Scene, count: int) -> bool:
    return len(await on.playing.dispatch.reports()) == count


async def test_what_no_other_worker_takes_comes_back(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one has a free slot, as it says, and takes nothing."""
    monkeypatch.setattr(module, "LEFT_S", 0.5)
    async with scene(redis_url) as on:
        left: list[Offer] = []
        leave = on.one._leave

        async def seen(offer: Offer) -> None:
            left.append(offer)
            await leave(offer)

        monkeypatch.setattr(on.one, "_leave", seen)
        call = await live(on.playing)
        await Dispatch(admin).report("other", Report(free_slots=1))
        await on.command("move", call)
        await on.offered_again(call)
        await until(lambda: call.epoch == 2, "it is taken")
        assert call.owner == on.one.mailbox
        assert left, "the others could look first"


async def test_without_another_worker_it_stays(redis_url: str) -> None:
    async with scene(redis_url) as on:
        call = await live(on.playing)
        order = await on.command("move", call)
        told = await on.hear(State.REFUSED)
        assert (told.command, told.reason) == (order, Refusal.NO_PEER)
        assert call.epoch == 1


async def test_without_a_quiet_moment_it_stays(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOVE_S", 0.2)
    async with scene(redis_url) as on:
        call = await live(on.playing)
        on.playing.say(call, frame.TEXT, b'{"realtimeInput":{"text":"and now?"}}')
        member = on.one.exchange.members[call.session]
        await until(lambda: member.link.receiver.accepted == 1, "it is heard")
        await Dispatch(admin).report("other", Report(free_slots=1))
        await on.command("move", call)
        assert await on.refused("move", call) == Refusal.UNDER_WAY
        assert (await on.hear(State.REFUSED)).reason == Refusal.NO_QUIET


async def test_what_is_not_there_or_another_ones(redis_url: str) -> None:
    async with scene(redis_url) as on:
        call = await live(on.playing)
        assert await on.refused("end", call) == Refusal.HAS_EDGE
        assert await on.refused("end", Call(bytes(16))) == Refusal.GONE
        assert await on.refused("move", Call(bytes(16))) == Refusal.GONE


@pytest.mark.usefixtures("fast_heartbeat")
async def test_a_session_whose_edge_is_gone_is_ended_here(redis_url: str) -> None:
    async with scene(redis_url) as on:
        async with edge(redis_url) as lost:
            lost.away_s = 60
            call = await live(lost)
        away = await on.hear(State.AWAY)
        assert (away.session, away.worker) == (call.session.hex(), on.one.process_id)
        assert await on.refused("move", call) == Refusal.NO_EDGE
        await on.command("end", call)
        ended = await on.hear(State.ENDED)
        assert (ended.session, ended.close) == (call.session.hex(), "ended_by_operator")
        await until(lambda: on.one.free_slots == on.one.settings.slots, "its slot is free")


async def test_drain_is_what_sigterm_does(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = asyncio.Event()
    own = settings(redis_url=redis_url, live_upstream="ws://127.0.0.1:1")
    running = Worker(own, stop.set)
    with monkeypatch.context() as patch:
        patch.setattr("tests.worker.harness.Worker", lambda _: running)
        async with worker(redis_url), steer(redis_url) as gateway:
            await gateway.command([keys.worker_mailbox("gone"), running.mailbox], "drain")
            async with asyncio.timeout(5):
                await stop.wait()
            await running.drain()
            told = [await hear(gateway) for _ in range(2)]
            assert [event.state for event in told] == [State.DRAINING, State.DRAINED]
            assert {(event.worker, event.left) for event in told} == {(running.process_id, 0)}
