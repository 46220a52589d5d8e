"""Sign-outs on a real Redis: known here at once, elsewhere at the next look, and not for ever."""

import pytest
from livegate import keys
from livegate_edge import ledger, sign_outs
from livegate_edge.sign_outs import SignOuts
from redis.asyncio import Redis

from tests.edge.harness import NOWHERE

LASTS_S = 3600.0


@pytest.fixture
def here(admin: Redis) -> SignOuts:
    return SignOuts(admin, LASTS_S)


async def test_here_at_once_and_elsewhere_at_the_next_look(here: SignOuts, admin: Redis) -> None:
    there = SignOuts(admin, LASTS_S)
    await here.end("one")
    assert here.has("one")
    assert not there.has("one")
    await there.look()
    assert there.has("one")
    await here.end("two")
    await there.look()
    assert there.has("one")
    assert there.has("two")
    assert not there.has("three")
    assert not there.has("")


async def test_an_edge_that_starts_later_knows_them_all(here: SignOuts, admin: Redis) -> None:
    for number in range(5):
        await here.end(f"{number}")
    later = SignOuts(admin, LASTS_S)
    await later.look()
    assert all(later.has(f"{number}") for number in range(5))


async def test_what_would_have_expired_is_forgotten(here: SignOuts, admin: Redis) -> None:
    seconds, _ = await admin.time()
    await admin.zadd(keys.SIGNED_OUT, {"old": seconds - LASTS_S - 60, "young": seconds - 60})
    there = SignOuts(admin, LASTS_S)
    await here.end("new")
    assert await admin.zrange(keys.SIGNED_OUT, 0, -1) == [b"young", b"new"]
    await there.look()
    assert not there.has("old")
    assert there.has("young")
    assert there.has("new")


async def test_an_emptied_ledger_brings_nobody_back(here: SignOuts, admin: Redis) -> None:
    there = SignOuts(admin, LASTS_S)
    await here.end("one")
    await there.look()
    await admin.flushall()
    for known in (here, there):
        await known.look()
        assert known.has("one")


async def test_without_the_ledger_this_edge_knows_it_and_tells_it_later(
    admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(sign_outs.log, "warning", lambda event, **_: said.append(event))
    redis = ledger.connect(NOWHERE)
    known = SignOuts(redis, LASTS_S)
    await known.end("one")
    await known.look()
    await redis.aclose()
    assert known.has("one")
    assert said == ["no answer from the ledger"]
    known._ledger = admin
    await known.look()
    assert known.has("one")
    there = SignOuts(admin, LASTS_S)
    await there.look()
    assert there.has("one")
