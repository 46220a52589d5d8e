"""The gateway on a real Redis: offers, status, readiness, and an orderly end."""

import asyncio

import httpx
import pytest
from livegate import frame, keys
from livegate.closes import Close, Closing
from livegate.dispatch import Dispatch, Offer, Report
from livegate_edge import gateway as module
from livegate_edge import session
from livegate_edge.gateway import Gateway
from livegate_edge.outputs import OfferSession
from redis.asyncio import Redis
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.edge.harness import NOWHERE, SETUP, Edge, connected, edge, queued, settings, worker
from tests.support.processes import until
from tests.system.conftest import closed

PAGE = [Subprotocol("livegate.v1")]


# Offers


async def test_an_offer_is_withdrawn_when_the_client_leaves_first(
    redis_url: str, admin: Redis
) -> None:
    async with edge(redis_url) as running, connect(f"{running.ws}/ws", proxy=None) as other:
        async with connect(f"{running.ws}/ws", proxy=None) as client:
            await client.send(SETUP)
            await until(lambda: queued(admin), "the session is offered")
            await other.send(SETUP)
            await until(lambda: _count(admin, 2), "both are offered")
            assert {offer.epoch for offer in await queued(admin)} == {0}
            assert {offer.mailbox for offer in await queued(admin)} == {running.gateway.mailbox}
        await until(lambda: _count(admin, 1), "the first is withdrawn, the other is not")
        (left,) = await queued(admin)
        assert left.session in running.gateway.exchange.members


async def _count(admin: Redis, number: int) -> bool:
    return len(await queued(admin)) == number


async def test_an_offer_is_withdrawn_when_the_client_breaks_off(
    redis_url: str, admin: Redis
) -> None:
    async with edge(redis_url) as running:
        client = await connect(f"{running.ws}/ws", proxy=None)
        await client.send(SETUP)
        await until(lambda: queued(admin), "the session is offered")
        client.transport.abort()
        await until(lambda: _count(admin, 0), "it is withdrawn")
        await client.wait_closed()


async def test_offers_are_repeated_after_redis_was_emptied(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "OFFER_AGAIN_S", 0.5)
    async with edge(redis_url) as running, connect(f"{running.ws}/ws", proxy=None) as client:
        await client.send(SETUP)
        await until(lambda: queued(admin), "the session is offered")
        before = await queued(admin)
        await admin.flushall()
        await until(lambda: queued(admin), "it is offered again")
        assert await queued(admin) == before
        async with worker(redis_url) as playing:
            offer = await playing.take()
            playing.send(offer, frame.CLAIM, playing.mailbox)
            await until(lambda: playing.got(frame.OPEN), "and can be claimed")
        assert await queued(admin) == []


async def test_of_two_claims_one_is_answered(redis_url: str) -> None:
    async with (
        edge(redis_url) as running,
        worker(redis_url) as first,
        worker(redis_url) as second,
        connect(f"{running.ws}/ws", proxy=None) as client,
    ):
        await client.send(SETUP)
        offer = await first.take()
        first.send(offer, frame.CLAIM, first.mailbox)
        await until(lambda: first.got(frame.OPEN), "the first is answered")
        second.send(offer, frame.CLAIM, second.mailbox)
        second.send(offer, frame.TEXT, b'{"from":"second"}', seq=2)
        first.send(offer, frame.TEXT, b'{"from":"first"}', seq=1)
        assert await client.recv() == '{"from":"first"}'
        assert second.frames == []


async def test_without_redis_posts_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POST_QUEUE", 3)
    gateway = Gateway(settings())
    offers = [Offer(bytes([number] * 16), 0, b"m") for number in range(5)]
    for offer in offers:
        gateway.post(offer, OfferSession())
    left = [gateway._posts.get_nowait() for _ in range(gateway._posts.qsize())]
    assert left == [(offer, OfferSession()) for offer in offers[2:]]


# Status


FREE, FULL = 2, 0
DOWN = "the token broker can't be reached"
BUSY = "HTTP 503"


@pytest.mark.parametrize(
    ("reports", "missing"),
    [
        ([], ["no session worker is running"]),
        ([Report(free_slots=FULL)], ["no session worker has a free slot"]),
        ([Report(free_slots=FULL), Report(free_slots=FREE)], []),
        (
            [Report(free_slots=FREE, broker=DOWN), Report(free_slots=FREE, broker=DOWN)],
            [f"token broker: {DOWN}"],
        ),
        ([Report(free_slots=FREE, broker=DOWN), Report(free_slots=FREE)], []),
        (
            [Report(free_slots=FREE, broker=DOWN, upstream=BUSY)],
            [f"token broker: {DOWN}", f"Live API: {BUSY}"],
        ),
        # Only a worker with a free slot can take the next session.
        (
            [Report(free_slots=FREE, broker=DOWN), Report(free_slots=FULL)],
            [f"token broker: {DOWN}"],
        ),
        ([Report(free_slots=FREE), Report(free_slots=FULL, upstream=BUSY)], []),
        ([Report(free_slots=FULL, broker=DOWN)], ["no session worker has a free slot"]),
    ],
)
async def test_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, reports: list[Report], missing: list[str]
) -> None:
    gateway = Gateway(settings())
    gateway.exchange.bus.problem = None

    async def answered() -> list[Report]:
        return reports

    monkeypatch.setattr(gateway._dispatch, "reports", answered)
    assert await gateway.status() == (missing, reports)


async def test_status_sums_up_the_workers(redis_url: str, admin: Redis) -> None:
    async with edge(redis_url) as running, httpx.AsyncClient(trust_env=False) as http:
        dispatch = Dispatch(admin)
        for number in range(3):
            await dispatch.report(f"w{number}", Report(free_slots=number))
        await dispatch.retract("w2")
        answer = await http.get(f"{running.http}/api/status")
        assert (answer.status_code, answer.json()) == (
            200,
            {"ok": True, "missing": [], "upstream": "simulator", "workers": 2, "free_slots": 1},
        )


async def test_status_when_redis_stops_to_answer(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the heartbeat has noticed: an answer in time all the same."""
    monkeypatch.setattr(module, "STATUS_TIMEOUT_S", 0.05)
    gateway = Gateway(settings(redis_url=redis_url))
    gateway.exchange.bus.problem = None

    async def never() -> list[Report]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(gateway._dispatch, "reports", never)
    assert await gateway.status() == (["Redis does not answer"], [])


def test_no_owner_came_for_lack_of_redis() -> None:
    gateway = Gateway(settings())
    no_worker, quota = Closing.of(Close.NO_WORKER), Closing.of(Close.QUOTA)
    assert gateway.exchange.bus.problem
    assert gateway.explain(no_worker) == Closing.of(Close.BUS_UNAVAILABLE)
    assert gateway.explain(quota) == quota
    gateway.exchange.bus.problem = None
    assert gateway.explain(no_worker) == no_worker


# Readiness and drain


def test_once_redis_was_there_its_absence_costs_no_readiness() -> None:
    gateway = Gateway(settings(redis_url=NOWHERE))
    bus = gateway.exchange.bus
    assert gateway.not_ready == ["Redis has not answered yet"]
    bus.healthy_at, bus.problem = 1.0, "Redis does not answer"
    assert gateway.not_ready == []
    bus.evicts = "Redis evicts keys"
    assert gateway.not_ready == ["Redis evicts keys"]


async def test_the_drain_waits_for_the_owners_and_takes_nobody_new(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LAST_FRAMES_S", 15)
    async with (
        edge(redis_url, drain_s=15) as running,
        worker(redis_url) as playing,
        httpx.AsyncClient(trust_env=False) as http,
        connect(f"{running.ws}/ws", proxy=None, subprotocols=PAGE) as client,
    ):
        await client.send(SETUP)
        offer = await playing.take()
        playing.send(offer, frame.CLAIM, playing.mailbox)
        await until(lambda: playing.got(frame.OPEN), "it is owned")
        await client.send('{"realtimeInput":{"text":"last words"}}')
        await until(lambda: playing.got(frame.TEXT), "the owner gets them")
        assert (await http.get(f"{running.http}/readyz")).status_code == 200
        running.stop.set()
        assert await closed(client) == (4001, Close.DRAINING.text)
        await until(lambda: playing.got(frame.AWAY), "the owner is told")
        ready = await http.get(f"{running.http}/readyz")
        assert ready.status_code == 503
        assert ready.json() == {"ready": False, "missing": ["this edge is going away"]}
        async with connect(f"{running.ws}/ws", proxy=None) as late:
            assert await closed(late) == (1001, Close.DRAINING.text)
        assert await admin.exists(running.gateway.mailbox)
        header = frame.pack_header(0, offer.session, 1, 0, 0, 1, 0)
        playing.bus.send(offer.mailbox, header, b"")

        async def retired() -> bool:
            return not await admin.exists(running.gateway.mailbox)

        await until(retired, "the owner took note")
        assert not playing.got(frame.CLOSE), "the page goes on elsewhere"


async def test_the_drain_serves_others_to_the_end_of_the_grace(redis_url: str) -> None:
    async with (
        worker(redis_url) as playing,
        edge(redis_url, drain_s=0.5) as running,
        connect(f"{running.ws}/ws", proxy=None) as client,
    ):
        await client.send(SETUP)
        offer = await playing.take()
        playing.send(offer, frame.CLAIM, playing.mailbox)
        await until(lambda: playing.got(frame.OPEN), "it is owned")
        playing.send(offer, frame.SETUP_COMPLETE, b'{"setupComplete":{}}', seq=1)
        assert await client.recv() == '{"setupComplete":{}}'
        running.stop.set()
        assert await client.recv() == '{"goAway":{"timeLeft":"0.5s"}}'
        await client.send('{"realtimeInput":{"text":"still there?"}}')
        await until(lambda: playing.got(frame.TEXT), "the owner gets it")
        playing.send(offer, frame.TEXT, b'{"text":"yes"}', seq=2)
        assert await client.recv() == '{"text":"yes"}'
        assert await closed(client) == (1001, Close.DRAINING.text)
        await until(lambda: playing.got(frame.CLOSE), "a session that can't go on elsewhere")


async def test_the_drain_has_an_end_though_an_owner_is_silent(redis_url: str, admin: Redis) -> None:
    async with worker(redis_url) as playing:
        async with edge(redis_url, drain_s=0.2) as running:
            client = await connect(f"{running.ws}/ws", proxy=None)
            await client.send(SETUP)
            playing.send(await playing.take(), frame.CLAIM, playing.mailbox)
            await until(lambda: playing.got(frame.OPEN), "it is owned")
        assert running.gateway.exchange.members, "nobody took note"
        assert await closed(client) == (1001, Close.DRAINING.text)
    assert not await admin.exists(running.gateway.mailbox), "its mailbox is taken away"
    assert not await admin.exists(keys.heartbeat(running.gateway.mailbox))


async def test_a_connection_is_counted_while_it_lasts() -> None:
    """Else the drain would leave it without a close."""
    gateway = Gateway(settings(drain_s=5))
    async with connected(gateway, setup=None) as client:
        gateway._connections.add(client.connection)
        draining = asyncio.create_task(gateway.drain())
        await until(lambda: client.close, "it is closed by the drain")
        assert not draining.done()
        gateway._connections.discard(client.connection)
        async with asyncio.timeout(5):
            await draining


async def test_a_served_connection_leaves_no_trace(redis_url: str) -> None:
    running: Edge
    async with edge(redis_url) as running:
        async with connect(f"{running.ws}/ws", proxy=None) as client:
            await client.send(SETUP)
            await until(lambda: running.gateway.exchange.members, "the session has begun")
            assert len(running.gateway._connections) == 1
        await until(lambda: not running.gateway._connections, "the connection is forgotten")
        assert running.gateway.exchange.members == {}
