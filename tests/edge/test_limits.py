"""Limits of a user, over edges, on a real Redis."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livegate import keys, metrics
from livegate.closes import Close
from livegate.ledger import Ledger
from livegate.usage import Account, Entry
from livegate_edge import limits
from livegate_edge.incoming import BURST_S
from livegate_edge.limits import Limited, UserLimits
from livegate_edge.users import ANONYMOUS
from redis.asyncio import Redis
from starlette.types import Message

from tests.edge.harness import NOWHERE, settings
from tests.support.processes import until

NOON = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
DAY = "2026-11-23"
SESSIONS = [bytes([number] * 16) for number in range(20)]


@contextlib.asynccontextmanager
async def edge(redis_url: str, **values: Any) -> AsyncIterator[tuple[UserLimits, list[str]]]:
    """One edge's limits, and whose tokens it found used up."""
    used_up: list[str] = []

    def on_used_up(user: str, reached: Limited) -> None:
        assert reached.close is Close.TOKENS_USED_UP
        used_up.append(user)

    ledger = Ledger(redis_url)
    async with Redis.from_url(redis_url) as redis, asyncio.TaskGroup() as group:
        running = UserLimits(redis, ledger, settings(**values), on_used_up, lambda: NOON)
        task = group.create_task(running.run())
        yield running, used_up
        task.cancel()
        await ledger.aclose()


async def test_connections_a_minute_over_all_edges(redis_url: str) -> None:
    async with (
        edge(redis_url, opens_per_minute=4) as (one, _),
        edge(redis_url, opens_per_minute=4) as (other, _),
    ):
        assert [await at.opens("anna") for at in (one, other, one, other)] == [None] * 4
        reached = await one.opens("anna")
        assert reached is not None
        assert reached.close is Close.TOO_MANY_OPENS
        assert 14 <= reached.retry_s <= 15, "a minute's fourth part"
        assert f"try again in {reached.retry_s} s" in reached.reason
        assert await other.opens("bob") is None


async def test_a_refused_connection_costs_nothing(redis_url: str, admin: Redis) -> None:
    async with edge(redis_url, opens_per_minute=1) as (one, _):
        await one.opens("anna")
        paid = await admin.get(keys.user_opens("anna"))
        assert await one.opens("anna")
        assert await admin.get(keys.user_opens("anna")) == paid


async def test_many_at_once_are_counted_one_by_one(redis_url: str) -> None:
    async with edge(redis_url, opens_per_minute=10, sessions_per_user=7) as (one, _):
        opened = await asyncio.gather(*(one.opens("anna") for _ in range(15)))
        begun = await asyncio.gather(*(one.begins("anna", name) for name in SESSIONS))
    assert opened.count(None) == 10
    assert begun.count(None) == 7


async def test_sessions_at_once_over_all_edges(redis_url: str) -> None:
    async with (
        edge(redis_url, sessions_per_user=2) as (one, _),
        edge(redis_url, sessions_per_user=2) as (other, _),
    ):
        for at, name in ((one, SESSIONS[0]), (other, SESSIONS[1])):
            assert await at.begins("anna", name) is None
            at.holds("anna", name)
        reached = await one.begins("anna", SESSIONS[2])
        assert reached is not None
        assert reached.close is Close.TOO_MANY_SESSIONS
        assert "2 sessions at once" in reached.reason
        assert await one.begins("anna", SESSIONS[1]) is None, "who comes back has its place"
        assert await one.begins("bob", SESSIONS[2]) is None
        other.ends(SESSIONS[1])

        async def free() -> bool:
            return await one.begins("anna", SESSIONS[2]) is None

        await until(free, "another's end made room")


async def test_a_dead_edges_sessions_free_themselves_and_a_live_ones_do_not(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LEASE_S", 1)
    monkeypatch.setattr(limits, "RENEW_S", 0.1)
    async with edge(redis_url, sessions_per_user=2) as (alive, _):
        async with edge(redis_url, sessions_per_user=2) as (dead, _):
            for at, name in ((alive, SESSIONS[0]), (dead, SESSIONS[1])):
                await at.begins("anna", name)
                at.holds("anna", name)
            assert await alive.begins("anna", SESSIONS[2])

        async def free() -> bool:
            return await alive.begins("anna", SESSIONS[2]) is None

        await until(free, "the dead edge's session is gone")
        there = await admin.zrange(keys.user_sessions("anna"), 0, -1)
        assert SESSIONS[0].hex().encode() in there


async def test_an_emptied_redis_knows_the_sessions_again(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RENEW_S", 0.05)
    async with edge(redis_url, sessions_per_user=2) as (one, _):
        for name in SESSIONS[:2]:
            await one.begins("anna", name)
            one.holds("anna", name)
        await admin.flushall()

        async def back() -> bool:
            return await admin.zcard(keys.user_sessions("anna")) == 2

        await until(back, "both are there again")
        assert await one.begins("anna", SESSIONS[2])


async def test_a_session_that_goes_on_elsewhere_is_not_renewed_nor_ended_here(
    redis_url: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RENEW_S", 0.05)
    async with edge(redis_url, sessions_per_user=3) as (one, _):
        for name in SESSIONS[:3]:
            await one.begins("anna", name)
            one.holds("anna", name)
        one.parts(SESSIONS[0])
        one.ends(SESSIONS[0])
        one.renamed(SESSIONS[1], SESSIONS[5])
        assert await admin.zscore(keys.user_sessions("anna"), SESSIONS[0].hex())
        await admin.flushall()

        wanted = sorted(SESSIONS[number].hex().encode() for number in (2, 5))

        async def renewed() -> bool:
            return sorted(await admin.zrange(keys.user_sessions("anna"), 0, -1)) == wanted

        await until(renewed, "only what is here")


async def test_defaults_are_for_those_who_sign_in(redis_url: str, admin: Redis) -> None:
    async with edge(redis_url) as (one, _):
        opened = [await one.opens("key:anna") for _ in range(61)]
        assert [bool(reached) for reached in opened] == [False] * 60 + [True]
        begun = [await one.begins("key:anna", name) for name in SESSIONS[:11]]
        assert [bool(reached) for reached in begun] == [False] * 10 + [True]
        for name in SESSIONS:
            assert await one.opens(ANONYMOUS.id) is None
            assert await one.begins(ANONYMOUS.id, name) is None
        assert not await admin.keys(keys.user_opens(ANONYMOUS.id))
    async with edge(redis_url, opens_per_minute=0, sessions_per_user=0) as (off, _):
        assert await off.opens("key:anna") is None
        assert await off.begins("key:anna", SESSIONS[15]) is None


async def use(redis_url: str, user: str, tokens: int, number: int = 1) -> None:
    ledger = Ledger(redis_url)
    entry = Entry("gemini-3.8-live", "output", "AUDIO")
    await ledger.add("w", number, {Account(user, DAY): {entry: tokens}})
    await ledger.aclose()


async def test_tokens_a_day(redis_url: str) -> None:
    await use(redis_url, "anna", 999)
    async with edge(redis_url, tokens_per_day=1000) as (one, _):
        assert await one.begins("anna", SESSIONS[0]) is None
        await use(redis_url, "anna", 1, number=2)
        reached = await one.begins("anna", SESSIONS[1])
        assert reached is not None
        assert reached.close is Close.TOKENS_USED_UP
        assert reached.retry_s == 12 * 3600
        assert "2026-11-24 00:00 UTC" in reached.reason
        assert reached.reason == reached.closing.reason, "it fits into a close"
        assert await one.begins("bob", SESSIONS[2]) is None


async def test_tokens_that_run_out_in_mid_session(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TOKENS_S", 0.02)
    async with edge(redis_url, tokens_per_day=1000) as (one, used_up):
        for name, user in zip(SESSIONS, ("anna", "bob"), strict=False):
            await one.begins(user, name)
            one.holds(user, name)
        await use(redis_url, "anna", 1000)
        await until(lambda: used_up, "it is told")
        assert set(used_up) == {"anna"}


@pytest.mark.parametrize(
    ("limit", "values"),
    [
        ("opens", {"opens_per_minute": 1}),
        ("sessions", {"sessions_per_user": 1}),
        ("tokens", {"tokens_per_day": 1}),
    ],
)
async def test_without_redis_nobody_is_refused(limit: str, values: dict[str, int]) -> None:
    unlimited = metrics.EDGE_UNLIMITED.labels(limit)._value
    before = unlimited.get()
    async with edge(NOWHERE, **values) as (one, _):
        for name in SESSIONS[:2]:
            assert await one.opens("anna") is None
            assert await one.begins("anna", name) is None
    assert unlimited.get() - before == 2


async def test_a_denial_says_when_to_try_again() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await limits.deny(send, limits.limited(Close.TOO_MANY_OPENS, 1.2, "slowly"))
    assert sent[0]["status"] == 429
    assert (b"retry-after", b"2") in sent[0]["headers"]
    assert sent[1] == {"type": "websocket.http.response.body", "body": b"slowly"}


async def test_who_was_too_fast_waits_until_token_buckets_would_be_full(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with edge(redis_url) as (running, _):
        for user in ("anna", ANONYMOUS.id):
            running.was_too_fast(user)
        reached = await running.opens("anna")
        assert reached is not None
        assert reached.close is Close.TOO_FAST
        assert 0 < BURST_S - reached.retry_s < 1
        assert "try again in 25 s" in reached.reason
        assert await running.opens("bob") is None
        assert await running.opens(ANONYMOUS.id) is None, "that is everybody"
        loop = asyncio.get_running_loop()
        later = loop.time() + BURST_S
        monkeypatch.setattr(loop, "time", lambda: later)
        running.was_too_fast("bob")
        monkeypatch.undo()
        assert list(running._paused) == ["bob"], "what is over is forgotten"
        assert await running.opens("anna") is None
