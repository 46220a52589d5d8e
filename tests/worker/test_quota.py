"""Places at the Live API on a real Redis."""

import asyncio

import pytest
from livegate import keys
from livegate_worker import quota
from livegate_worker.quota import Look, Quota
from livegate_worker.upstreams import Place
from redis.asyncio import Redis

from tests.support.processes import until

WEST, EAST = Place("p", "west", "m"), Place("p", "east", "m")
BOTH = [WEST, EAST]


def of(redis: Redis, cap: int = 2, wait_s: float = 5) -> Quota:
    return Quota(redis, cap, wait_s)


async def admit(places: Quota, *sessions: str, forced: bool = False) -> list[Place | None]:
    return [await places.admit(session, BOTH, forced=forced) for session in sessions]


async def test_in_order_and_spilled_over_when_full(admin: Redis) -> None:
    places = of(admin)
    assert await admit(places, "1", "2", "3", "4", "5") == [WEST, WEST, EAST, EAST, None]
    assert await places.look(BOTH) == [Look(2, 2), Look(2, 2)]


async def test_many_at_once_never_exceed_the_cap(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        places = of(redis, cap=5)
        asked = [places.admit(str(n), BOTH, forced=False) for n in range(40)]
        given = await asyncio.gather(*asked)
    assert (given.count(WEST), given.count(EAST), given.count(None)) == (5, 5, 30)


async def test_who_has_a_place_keeps_it(admin: Redis) -> None:
    places = of(admin, cap=1)
    assert await admit(places, "1", "2", "2", "1") == [WEST, EAST, EAST, WEST]
    assert await places.look(BOTH) == [Look(1, 1), Look(1, 1)]


async def test_a_conversation_that_goes_on_is_let_in_even_so(admin: Redis) -> None:
    places = of(admin, cap=1)
    await admit(places, "1", "2")
    assert await admit(places, "3", forced=True) == [WEST]
    assert await places.look(BOTH) == [Look(2, 1), Look(1, 1)]


async def test_a_place_that_is_left_is_free(admin: Redis) -> None:
    places = of(admin, cap=1)
    await admit(places, "1", "2")
    await places.leave("1", BOTH)
    assert await admit(places, "3") == [WEST]


async def test_who_asked_first_is_first(admin: Redis) -> None:
    places = of(admin, cap=1)
    assert await admit(places, "1", "2", "first", "second") == [WEST, EAST, None, None]
    await places.leave("2", BOTH)
    assert await admit(places, "third", "second", "first", "second") == [None, None, EAST, None]


async def test_who_waits_no_more_is_in_nobodys_way(admin: Redis) -> None:
    places = of(admin, cap=1)
    await admit(places, "1", "2", "gone", "last")
    await places.leave("gone", BOTH)
    await places.leave("1", BOTH)
    assert await admit(places, "last") == [WEST]


async def test_a_waiter_whose_worker_died_is_forgotten(
    admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "QUEUE_MARGIN_S", 0.0)
    places = of(admin, cap=1, wait_s=0.2)
    await admit(places, "1", "2", "dead")
    await places.leave("1", BOTH)

    async def admitted() -> bool:
        return await admit(places, "last") == [WEST]

    await until(admitted, "the dead one's turn is over")


async def test_places_of_the_dead_expire_and_those_of_the_living_are_renewed(
    admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota, "LEASE_S", 1)
    places = of(admin, cap=1)
    await admit(places, "dead", "alive")

    async def freed() -> bool:
        await places.renew({EAST: ["alive"]})
        return await places.look(BOTH) == [Look(0, 1), Look(1, 1)]

    await until(freed, "the dead one's place is free")
    assert await admin.zrange(keys.quota_sessions(EAST.name), 0, -1) == [b"alive"]


async def test_an_emptied_redis_knows_the_sessions_again(admin: Redis) -> None:
    places = of(admin)
    await admit(places, "1", "2", "3")
    await admin.flushall()
    await places.renew({WEST: ["1", "2"], EAST: ["3"]})
    assert await places.look(BOTH) == [Look(2, 2), Look(1, 2)]
    await places.renew({})


async def test_a_refusal_lowers_the_cap_which_grows_again(admin: Redis) -> None:
    places = of(admin, cap=100)
    for number in range(31):
        await places.admit(str(number), [WEST], forced=False)
    await places.refused("30", WEST, leaves=True)
    [look] = await places.look([WEST])
    assert look.sessions == 30
    assert look.cap in (27, 28)
    assert await places.admit("31", [WEST], forced=False) is None
    assert 0 < await admin.ttl(keys.quota_cap(WEST.name)) <= 74

    async def grown() -> bool:
        return (await places.look([WEST]))[0].cap > look.cap

    await until(grown, "one more is tried")


async def test_refusals_at_once_lower_it_once(admin: Redis) -> None:
    places = of(admin, cap=100)
    for number in range(30):
        await places.admit(str(number), [WEST], forced=False)
    for number in range(10):
        await places.refused(str(number), WEST, leaves=True)
    [look] = await places.look([WEST])
    assert look.sessions == 20
    assert look.cap in (20, 21), "not nine tenths of nine tenths"


async def test_a_refused_conversation_keeps_its_place(admin: Redis) -> None:
    places = of(admin, cap=10)
    await admit(places, "1", "2")
    await places.refused("1", WEST, leaves=False)
    [look] = await places.look([WEST])
    assert look.sessions == 2
    assert look.cap in (0, 1)


async def test_no_places_are_not_looked_at(admin: Redis) -> None:
    assert await of(admin).look([]) == []
