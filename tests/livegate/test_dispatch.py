"""Dispatch on a real Redis: who waits longest is taken first, takeovers before all."""

import asyncio

import pytest
from livegate import keys
from livegate.dispatch import Dispatch, Offer, Report
from redis.asyncio import Redis

from tests.support.processes import until

WAIT_S = 0.05


def offer(number: int, epoch: int = 0) -> Offer:
    return Offer(bytes([number] * 16), epoch, b"edge:ab:out")


@pytest.fixture
def dispatch(admin: Redis) -> Dispatch:
    return Dispatch(admin)


@pytest.mark.parametrize(
    "original",
    [offer(1), Offer(b":" * 16, 4_000_000_000, b"edge:a:b:out"), Offer(bytes(16), 0, b"")],
)
def test_a_member_says_the_whole_offer(original: Offer) -> None:
    assert Offer.parse(original.member) == original


@pytest.mark.parametrize("member", [b"", b"ab", b"ab:1", b"xy:1:edge", b"ab:x:edge", b"\xff:1:e"])
def test_what_is_no_member(member: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Offer.parse(member)


async def test_the_longest_waiting_is_taken_first(dispatch: Dispatch) -> None:
    for number in (3, 1, 2):
        await dispatch.offer(offer(number))
    assert [await dispatch.take(WAIT_S) for _ in range(4)] == [offer(3), offer(1), offer(2), None]


async def test_an_offer_again_keeps_its_place(dispatch: Dispatch) -> None:
    for number in (1, 2, 1):
        await dispatch.offer(offer(number))
    assert [await dispatch.take(WAIT_S) for _ in range(3)] == [offer(1), offer(2), None]


async def test_takeovers_come_first(dispatch: Dispatch) -> None:
    await dispatch.offer(offer(1))
    await dispatch.offer(offer(2, epoch=3), takeover=True)
    assert [await dispatch.take(WAIT_S) for _ in range(2)] == [offer(2, epoch=3), offer(1)]


async def test_what_is_withdrawn_is_not_taken(dispatch: Dispatch) -> None:
    await dispatch.offer(offer(1))
    await dispatch.offer(offer(2), takeover=True)
    await dispatch.withdraw(offer(1))
    await dispatch.withdraw(offer(2))
    await dispatch.withdraw(offer(3))
    assert await dispatch.take(WAIT_S) is None


async def test_each_offer_goes_to_one_of_two_that_wait(redis_url: str, admin: Redis) -> None:
    async def both_wait() -> bool:
        return int((await admin.info("clients"))["blocked_clients"]) == 2

    async with Redis.from_url(redis_url) as one, Redis.from_url(redis_url) as other:
        async with asyncio.TaskGroup() as group:
            takes = [group.create_task(Dispatch(client).take(5)) for client in (one, other)]
            await until(both_wait, "both wait")
            await Dispatch(admin).offer(offer(1))
            await asyncio.wait(takes, return_when=asyncio.FIRST_COMPLETED)
            assert [task.done() for task in takes].count(True) == 1
            await Dispatch(admin).offer(offer(2))
        assert {task.result() for task in takes} == {offer(1), offer(2)}


async def test_depth_and_age(dispatch: Dispatch, admin: Redis) -> None:
    assert await dispatch.queue() == (0, 0)
    await dispatch.offer(offer(1))
    await dispatch.offer(offer(2), takeover=True)
    depth, age_s = await dispatch.queue()
    assert depth == 2
    assert 0 <= age_s < 5
    seconds, _ = await admin.time()
    await admin.zadd(keys.DISPATCH_NEW, {offer(1).member: seconds - 100})
    depth, age_s = await dispatch.queue()
    assert depth == 2
    assert 100 <= age_s < 110


async def test_the_score_is_redis_time(dispatch: Dispatch, admin: Redis) -> None:
    seconds, _ = await admin.time()
    await dispatch.offer(offer(1))
    score = await admin.zscore(keys.DISPATCH_NEW, offer(1).member)
    assert score is not None
    assert seconds <= float(score) <= seconds + 5


async def test_reports_count_until_they_expire_or_are_retracted(
    dispatch: Dispatch, admin: Redis
) -> None:
    assert await dispatch.reports() == []
    full = Report(free_slots=0, broker="no token")
    await dispatch.report("a", Report(free_slots=3))
    await dispatch.report("b", full)
    await dispatch.report("b", full)
    assert sorted(await dispatch.reports(), key=lambda r: r.free_slots) == [
        full,
        Report(free_slots=3),
    ]
    assert await dispatch.reports(besides="a") == [full]
    assert 0 < await admin.pttl(keys.report("a")) <= keys.REPORT_TTL_MS
    await dispatch.retract("b")
    assert await dispatch.reports() == [Report(free_slots=3)]
    await admin.pexpire(keys.report("a"), 1)

    async def none_left() -> bool:
        return await dispatch.reports() == []

    await until(none_left, "the report expires")


async def test_workers_long_silent_are_pruned(dispatch: Dispatch, admin: Redis) -> None:
    seconds, _ = await admin.time()
    await admin.zadd(keys.WORKERS, {"old": seconds - 61, "recent": seconds - 30})
    await dispatch.report("a", Report(free_slots=1))
    assert await admin.zrange(keys.WORKERS, 0, -1) == [b"recent", b"a"]
    assert await dispatch.reports() == [Report(free_slots=1)]


async def test_a_redis_that_lost_its_scripts_is_served(dispatch: Dispatch, admin: Redis) -> None:
    await dispatch.offer(offer(1))
    await admin.script_flush()
    await admin.flushall()
    await dispatch.offer(offer(2))
    assert await dispatch.take(WAIT_S) == offer(2)
