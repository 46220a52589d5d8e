"""A client that comes back to an edge: its session is claimed, whoever had the client before."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from livegate import frame, keys
from livegate.closes import Close
from livegate.dispatch import Offer
from livegate.frame import Frame
from livegate.ownership import REGISTER_S, Claim, Owned, Ownership
from livegate_edge import gateway as module
from livegate_edge.gateway import Gateway
from livegate_edge.outputs import OfferSession
from redis.asyncio import Redis
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.edge.harness import SETUP, WORKER, connected, edge, queued, settings, worker
from tests.support.processes import free_port, redis, until
from tests.system.conftest import closed

SESSION = bytes(range(16))
ELSEWHERE = b"edge:elsewhere:out"
PAGE = [Subprotocol("livegate.v1")]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLAIM_AGAIN_S", 0.01)


@contextlib.asynccontextmanager
async def idle(url: str) -> AsyncIterator[Gateway]:
    """A gateway that does not run."""
    gateway = Gateway(settings(redis_url=url))
    try:
        yield gateway
    finally:
        await gateway.exchange.bus.redis.aclose()


@pytest.fixture
async def gateway(redis_url: str) -> AsyncIterator[Gateway]:
    async with idle(redis_url) as result:
        yield result


Written = list[tuple[bytes, Frame]]


@pytest.fixture
def written(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Written:
    """What goes to others: mailbox and frame."""
    frames: Written = []

    def send(mailbox: bytes, outgoing: Any) -> None:
        frames.extend((mailbox, frame.unpack(*each)) for each in outgoing)

    monkeypatch.setattr(gateway.exchange, "send", send)
    return frames


async def own(admin: Redis, edge_mailbox: bytes = b"", session: bytes = SESSION) -> None:
    await Ownership(admin).register(WORKER, [Owned(session, 3, edge_mailbox)])


async def test_the_edge_before_is_fenced(gateway: Gateway, admin: Redis, written: Written) -> None:
    await own(admin, ELSEWHERE)
    assert await gateway.claim(SESSION, 2) == Claim(4, WORKER, ELSEWHERE)
    assert written == [(ELSEWHERE, Frame(frame.FENCE, SESSION, 4, 0, 0, 0, 0, b""))]
    assert await admin.hget(keys.session(SESSION), "edge") == gateway.mailbox


@pytest.mark.parametrize("before", ["none", "this one"])
async def test_nobody_else_has_the_client(
    gateway: Gateway, admin: Redis, written: Written, before: str
) -> None:
    mailbox = gateway.mailbox if before == "this one" else b""
    await own(admin, mailbox)
    assert await gateway.claim(SESSION, 3) == Claim(4, WORKER, mailbox)
    assert written == []


async def test_an_owner_that_an_emptied_redis_does_not_know_yet_is_waited_for(
    gateway: Gateway, admin: Redis
) -> None:
    asked = asyncio.create_task(gateway.claim(SESSION, 3))
    await until(lambda: _claims(admin, 3), "it asks again")
    assert not asked.done()
    await own(admin)
    async with asyncio.timeout(5):
        assert await asked == Claim(4, WORKER, b"")


async def _claims(admin: Redis, number: int) -> bool:
    stats = await admin.info("commandstats")
    calls: int = stats.get("cmdstat_evalsha", {}).get("calls", 0)
    return calls >= number


async def test_a_session_that_nobody_owns_is_known_as_such_in_the_end(
    gateway: Gateway, admin: Redis, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNKNOWN_S", 0.05)
    assert await gateway.claim(SESSION, 3) is None
    assert not await admin.exists(keys.session(SESSION))
    assert written == []


def test_an_owner_has_time_to_register_again() -> None:
    assert module.UNKNOWN_S > REGISTER_S


async def test_a_redis_that_is_away_says_nothing_of_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNKNOWN_S", 0.0)
    port = free_port()
    async with idle(f"redis://127.0.0.1:{port}/0") as gateway:
        tries = 0
        claim = gateway._ownership.claim

        async def counted(session: bytes, epoch: int, mailbox: bytes) -> Claim | None:
            nonlocal tries
            tries += 1
            return await claim(session, epoch, mailbox)

        monkeypatch.setattr(gateway._ownership, "claim", counted)
        asked = asyncio.create_task(gateway.claim(SESSION, 3))
        await until(lambda: tries >= 3, "it tries again")
        assert not asked.done()
        async with redis(tmp_path, port):
            async with asyncio.timeout(10):
                assert await asked is None, "now it is known"


async def test_a_redis_that_does_not_answer_is_asked_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STATUS_TIMEOUT_S", 0.01)
    tries = 0

    async def frozen(session: bytes, epoch: int, mailbox: bytes) -> Claim | None:
        nonlocal tries
        tries += 1
        if tries < 3:
            await asyncio.Event().wait()
        return Claim(epoch + 1, session, mailbox)

    monkeypatch.setattr(gateway._ownership, "claim", frozen)
    assert await gateway.claim(SESSION, 3) == Claim(4, SESSION, gateway.mailbox)


@pytest.mark.parametrize("known", [True, False])
async def test_the_clients_other_connection_to_this_edge_is_closed(
    gateway: Gateway, admin: Redis, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    monkeypatch.setattr(module, "UNKNOWN_S", 0.0)
    async with connected(gateway, livegate_v1=True) as client:
        session = client.connection.link.session
        client.claimed()
        if known:
            await own(admin, gateway.mailbox, session)
        claim = await gateway.claim(session, 1)
        assert (claim is not None) is known
        assert gateway.supersede(session, claim.epoch if claim else 1)
        await until(lambda: client.close, "the close")
        assert client.close == (4209, Close.SUPERSEDED.text)
        assert gateway.exchange.members == {}


@pytest.mark.parametrize(("owner_epoch", "superseded"), [(1, False), (2, True)])
async def test_a_late_offer_ends_only_who_has_lost_the_session(
    redis_url: str, admin: Redis, owner_epoch: int, *, superseded: bool
) -> None:
    """Its owner may have registered by the time it is offered again, or another edge's."""
    async with (
        edge(redis_url) as first,
        worker(redis_url) as playing,
        connect(f"{first.ws}/ws", proxy=None, subprotocols=PAGE) as client,
    ):
        await client.send(SETUP)
        offer = await playing.take()
        playing.send(offer, frame.CLAIM, playing.mailbox)
        await until(lambda: playing.got(frame.OPEN), "it is owned")
        owned = Owned(offer.session, owner_epoch, first.gateway.mailbox)
        await Ownership(admin).register(playing.mailbox, [owned])
        epoch = owner_epoch - 1
        first.gateway.post(Offer(offer.session, epoch, offer.mailbox), OfferSession(takeover=True))
        await until(first.gateway._posts.empty, "it is posted")
        first.gateway.post(Offer(bytes(16), 0, offer.mailbox), OfferSession())
        await until(lambda: queued(admin), "and done")
        assert (first.gateway.exchange.members == {}) is superseded


async def test_a_page_that_moves_takes_its_session_along(redis_url: str, admin: Redis) -> None:
    """From one edge to another, while the first connection is still there."""
    async with (
        edge(redis_url) as first,
        edge(redis_url) as second,
        worker(redis_url) as playing,
        connect(f"{first.ws}/ws", proxy=None, subprotocols=PAGE) as before,
    ):
        await before.send(SETUP)
        token = msgspec.json.decode(await before.recv())["livegate"]["token"]
        offer = await playing.take()
        playing.send(offer, frame.CLAIM, playing.mailbox)
        await until(lambda: playing.got(frame.OPEN), "it is owned")
        owned = Owned(offer.session, 1, first.gateway.mailbox)
        await Ownership(admin).register(playing.mailbox, [owned])
        second.gateway.tickets = first.gateway.tickets
        async with connect(f"{second.ws}/ws", proxy=None, subprotocols=PAGE) as after:
            first_message = msgspec.json.decode(SETUP) | {"livegate": {"token": token, "ack": 0}}
            await after.send(msgspec.json.encode(first_message), text=True)
            assert await closed(before) == (4209, Close.SUPERSEDED.text)
            await until(lambda: playing.got(frame.JOIN), "the owner is asked")
            join = playing.got(frame.JOIN)[0]
            assert (join.session, join.epoch) == (offer.session, 2)
            assert join.payload == second.gateway.mailbox
            assert not playing.got(frame.CLOSE)
            assert first.gateway.exchange.members == {}
