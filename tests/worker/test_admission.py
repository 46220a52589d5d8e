"""A session's way to a place: at once, elsewhere, after a wait, or not."""

import asyncio

import pytest
from livegate.closes import Close, Closing
from livegate_worker import admission
from livegate_worker.admission import Admission, FullError
from livegate_worker.quota import Quota
from livegate_worker.upstreams import Place
from redis.asyncio import Redis

WEST, EAST = Place("p", "west", "m"), Place("p", "east", "m")
BOTH = [WEST, EAST]
REFUSED = Closing.of(Close.QUOTA, "RESOURCE_EXHAUSTED: theirs", 1011)
NOWHERE = "redis://127.0.0.1:1/0"


def never() -> None:
    pytest.fail("it had to wait")


def of(redis: Redis, session: str, *, cap: int = 1, wait_s: float = 5) -> Admission:
    return Admission(Quota(redis, cap, wait_s), session)


async def test_the_first_place_then_the_next(admin: Redis) -> None:
    one, two = of(admin, "1"), of(admin, "2")
    assert await one.enter(BOTH, is_new=True, on_wait=never) == WEST
    assert await two.enter(BOTH, is_new=True, on_wait=never) == EAST
    assert (one.place, two.place) == (WEST, EAST)


async def test_without_a_cap_nobody_is_asked() -> None:
    async with Redis.from_url(NOWHERE) as redis:
        free = of(redis, "1", cap=0)
        assert await free.enter(BOTH, is_new=True, on_wait=never) == WEST
        assert free.place is None
        await free.refused(REFUSED, is_new=True)
        await free.leave()


async def test_it_waits_until_another_leaves(admin: Redis) -> None:
    first, second = of(admin, "1"), of(admin, "2")
    await first.enter([WEST], is_new=True, on_wait=never)
    waits = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        entering = group.create_task(second.enter([WEST], is_new=True, on_wait=waits.set))
        await waits.wait()
        await first.leave()
    assert entering.result() == WEST


async def test_it_is_refused_with_a_reason(admin: Redis) -> None:
    await of(admin, "1").enter([WEST], is_new=True, on_wait=never)
    with pytest.raises(FullError) as full:
        await of(admin, "2", wait_s=0).enter([WEST], is_new=True, on_wait=never)
    assert full.value.closing == Closing.of(Close.AT_CAPACITY)
    assert full.value.closing.code(livegate_v1=False) == 1011
    assert "RESOURCE_EXHAUSTED" in full.value.closing.reason


async def test_a_conversation_that_goes_on_always_enters(admin: Redis) -> None:
    await of(admin, "1").enter([WEST], is_new=True, on_wait=never)
    taken_over = of(admin, "2", wait_s=0)
    await taken_over.refused(REFUSED, is_new=False)
    assert await taken_over.enter([WEST], is_new=False, on_wait=never) == WEST


async def test_who_reconnects_asks_nobody(admin: Redis) -> None:
    mine = of(admin, "1")
    await mine.enter(BOTH, is_new=True, on_wait=never)
    await admin.flushall()
    assert await mine.enter([WEST], is_new=False, on_wait=never) == WEST
    assert await admin.dbsize() == 0


async def test_refused_by_google_it_goes_elsewhere(admin: Redis) -> None:
    mine = of(admin, "1")
    assert await mine.enter(BOTH, is_new=True, on_wait=never) == WEST
    await mine.refused(REFUSED, is_new=True)
    assert mine.place is None
    assert await mine.enter(BOTH, is_new=True, on_wait=never) == EAST


async def test_refused_everywhere_it_hears_googles_reason(
    admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "ASK_AGAIN_S", 0.01)
    mine = of(admin, "1", wait_s=0.1)
    tries = 0
    with pytest.raises(FullError) as full:
        while True:
            await mine.enter([WEST], is_new=True, on_wait=lambda: None)
            tries += 1
            await mine.refused(REFUSED, is_new=True)
    assert full.value.closing == Closing.of(Close.AT_CAPACITY, REFUSED.reason)
    assert tries == 1, "the next try is due in a second"


async def test_without_redis_googles_own_cap_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "ASK_AGAIN_S", 0.01)
    async with Redis.from_url(NOWHERE) as redis:
        mine = of(redis, "1", wait_s=0.1)
        assert await mine.enter(BOTH, is_new=True, on_wait=never) == WEST
        with pytest.raises(FullError):
            while True:
                await mine.refused(REFUSED, is_new=True)
                assert await mine.enter(BOTH, is_new=True, on_wait=never) == WEST
        await mine.leave()


async def test_who_leaves_gives_all_up(admin: Redis) -> None:
    mine = of(admin, "1")
    await mine.enter(BOTH, is_new=True, on_wait=never)
    await mine.leave()
    assert mine.place is None
    assert await of(admin, "2").enter(BOTH, is_new=True, on_wait=never) == WEST
