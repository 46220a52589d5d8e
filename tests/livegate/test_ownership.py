"""Ownership on a real Redis: who comes last has the highest epoch, and owners are known again."""

import asyncio

import pytest
from livegate import keys
from livegate.ownership import Claim, Owned, Ownership
from redis.asyncio import Redis

from tests.support.processes import until

SESSION = bytes(range(16))
WORKER, OTHER = b"worker:one:in", b"worker:two:in"
EDGE, ELSEWHERE = b"edge:one:out", b"edge:two:out"


@pytest.fixture
def ownership(admin: Redis) -> Ownership:
    return Ownership(admin)


async def known(admin: Redis) -> tuple[object, ...]:
    """Epoch, owner and edge as they are stored."""
    return tuple(await admin.hmget(keys.session(SESSION), ["epoch", "owner", "edge"]))


async def test_a_session_that_nobody_owns(ownership: Ownership, admin: Redis) -> None:
    assert await ownership.claim(SESSION, 7, EDGE) is None
    assert not await admin.exists(keys.session(SESSION)), "a claim makes no owner"


@pytest.mark.parametrize(("stored", "presented", "epoch"), [(3, 3, 4), (3, 1, 4), (3, 0, 4)])
async def test_a_claim_is_above_all_that_is_known(
    ownership: Ownership, stored: int, presented: int, epoch: int
) -> None:
    await ownership.register(WORKER, [Owned(SESSION, stored, EDGE)])
    assert await ownership.claim(SESSION, presented, ELSEWHERE) == Claim(epoch, WORKER, EDGE)
    again = await ownership.claim(SESSION, presented, EDGE)
    assert again == Claim(epoch + 1, WORKER, ELSEWHERE), "the edge before is named"


async def test_an_owner_without_an_edge(ownership: Ownership) -> None:
    await ownership.register(WORKER, [Owned(SESSION, 1, b"")])
    assert await ownership.claim(SESSION, 1, EDGE) == Claim(2, WORKER, b"")


async def test_a_registration_never_overwrites_a_higher_claim(
    ownership: Ownership, admin: Redis
) -> None:
    await ownership.register(WORKER, [Owned(SESSION, 1, EDGE)])
    await ownership.claim(SESSION, 1, ELSEWHERE)
    await ownership.register(WORKER, [Owned(SESSION, 1, EDGE)])
    assert await known(admin) == (b"2", WORKER, ELSEWHERE)
    await ownership.register(OTHER, [Owned(SESSION, 2, ELSEWHERE)])
    assert await known(admin) == (b"2", OTHER, ELSEWHERE), "the one that took it over"


async def test_a_registration_that_does_not_count_keeps_the_session_known(
    ownership: Ownership, admin: Redis
) -> None:
    await ownership.register(WORKER, [Owned(SESSION, 1, EDGE)])
    await ownership.claim(SESSION, 1, ELSEWHERE)
    await admin.pexpire(keys.session(SESSION), 1000)
    await ownership.register(WORKER, [Owned(SESSION, 1, EDGE)])
    assert await admin.pttl(keys.session(SESSION)) > 1000


async def test_what_is_not_registered_again_is_forgotten(
    ownership: Ownership, admin: Redis
) -> None:
    await ownership.register(WORKER, [Owned(SESSION, 1, EDGE)])
    assert 0 < await admin.pttl(keys.session(SESSION)) <= keys.SESSION_TTL_MS
    await admin.pexpire(keys.session(SESSION), 1000)
    await ownership.claim(SESSION, 1, ELSEWHERE)
    assert await admin.pttl(keys.session(SESSION)) > 1000, "a claim counts as a sign of life"
    await admin.pexpire(keys.session(SESSION), 1)

    async def forgotten() -> bool:
        return not await admin.exists(keys.session(SESSION))

    await until(forgotten, "it expires")
    assert await ownership.claim(SESSION, 2, EDGE) is None


async def test_an_emptied_redis_knows_the_owner_again(ownership: Ownership, admin: Redis) -> None:
    await ownership.register(WORKER, [Owned(SESSION, 4, EDGE)])
    await admin.flushall()
    await admin.script_flush()
    assert await ownership.claim(SESSION, 4, ELSEWHERE) is None
    await ownership.register(WORKER, [Owned(SESSION, 4, EDGE)])
    assert await ownership.claim(SESSION, 4, ELSEWHERE) == Claim(5, WORKER, EDGE)


async def test_what_has_ended_is_forgotten_at_once(ownership: Ownership, admin: Redis) -> None:
    ended = Owned(SESSION, 4, EDGE)
    await ownership.register(WORKER, [ended])
    await ownership.forget(WORKER, [ended])
    assert not await admin.exists(keys.session(SESSION))
    await ownership.forget(WORKER, [])


async def test_what_went_on_elsewhere_is_not_forgotten(ownership: Ownership, admin: Redis) -> None:
    former = Owned(SESSION, 4, EDGE)
    await ownership.register(OTHER, [Owned(SESSION, 5, EDGE)])
    await ownership.forget(WORKER, [former])
    assert await known(admin) == (b"5", OTHER, EDGE)
    await ownership.claim(SESSION, 5, ELSEWHERE)
    await ownership.forget(OTHER, [Owned(SESSION, 5, EDGE)])
    assert await known(admin) == (b"6", OTHER, ELSEWHERE), "claimed since"


async def test_whether_its_client_is_away(ownership: Ownership, admin: Redis) -> None:
    async def away() -> object:
        return await admin.hget(keys.session(SESSION), "away")

    await ownership.register(WORKER, [Owned(SESSION, 4, EDGE, is_away=True)])
    assert await away() == b"1"
    await ownership.claim(SESSION, 4, ELSEWHERE)
    assert await away() == b"", "it has just come back"


async def test_a_former_owner_that_registers_again_is_none(ownership: Ownership) -> None:
    """It was frozen, say, and Redis was emptied meanwhile."""
    await ownership.register(WORKER, [Owned(SESSION, 4, EDGE)])
    assert await ownership.claim(SESSION, 6, ELSEWHERE) is None


async def test_many_sessions_at_once(ownership: Ownership) -> None:
    sessions = [bytes([number] * 16) for number in range(200)]
    await ownership.register(WORKER, [])
    owned = [Owned(session, n, b"edge:%d:out" % n) for n, session in enumerate(sessions)]
    await ownership.register(WORKER, owned)
    claims = [await ownership.claim(session, 0, EDGE) for session in sessions]
    assert claims == [Claim(n + 1, WORKER, b"edge:%d:out" % n) for n in range(200)]


async def test_of_many_claims_each_has_an_epoch_of_its_own(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        ownership = Ownership(client)
        await ownership.register(WORKER, [Owned(SESSION, 1, EDGE)])
        claims = await asyncio.gather(
            *(ownership.claim(SESSION, 1, b"edge:%d:out" % n) for n in range(20))
        )
        assert sorted(claim.epoch for claim in claims if claim) == list(range(2, 22))
        by_epoch = sorted((claim for claim in claims if claim), key=lambda claim: claim.epoch)
        assert [claim.edge for claim in by_epoch[:1]] == [EDGE]
        assert len({claim.edge for claim in by_epoch}) == 20, "each is told the one before it"
