"""livegate_broker.ephemeral: one token a caller, and an API key that stays."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from livegate_broker import ephemeral
from livegate_broker.ephemeral import AT_ONCE, LAST_S, OPEN_S, EphemeralTokens
from livegate_broker.errors import GoogleRefusedError, GoogleUnreachableError, MintError

from tests.support.processes import until

from .fake_google import API_KEY, FakeGoogle

pytestmark = pytest.mark.timeout(20)


class World:
    """An issuer on a clock that the test sets."""

    def __init__(self, google: FakeGoogle, key: Path) -> None:
        self.now = 1000.0
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.issuer = EphemeralTokens(
            key, f"{google.url}/", self.say, clock=lambda: self.now, budget_s=5
        )

    def say(self, event: str, **fields: object) -> None:
        self.said.append((event, fields))

    async def value(self) -> str:
        return (await self.issuer.issue("a worker")).token.value


@pytest.fixture
def world(google: FakeGoogle, tmp_path: Path) -> World:
    key = tmp_path / "api-key"
    key.write_text(f"{API_KEY}\n")
    return World(google, key)


@contextlib.asynccontextmanager
async def running(issuer: EphemeralTokens) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(issuer.run())
        yield
        task.cancel()


async def test_each_caller_gets_another_token_for_one_connection(
    google: FakeGoogle, world: World
) -> None:
    issued = [await world.issuer.issue("a worker") for _ in range(2)]
    assert [item.token.value for item in issued] == google.tokens
    assert {(item.scheme, item.reusable, item.project) for item in issued} == {
        ("Token", False, None)
    }
    assert all(OPEN_S - 5 < item.token.expires_in_s <= OPEN_S for item in issued)
    asked = google.requests[0]
    assert asked["uses"] == "1"
    opens, ends = (
        datetime.fromisoformat(asked[name]) for name in ("newSessionExpireTime", "expireTime")
    )
    assert OPEN_S - 5 < (opens - datetime.now(UTC)).total_seconds() <= OPEN_S
    assert (ends - opens).total_seconds() == LAST_S - OPEN_S


async def test_a_token_made_by_a_clock_that_is_behind_opens_shorter(
    google: FakeGoogle, world: World
) -> None:
    google.ahead_s = 500
    issued = await world.issuer.issue("a worker")
    assert 90 < issued.token.expires_in_s <= 101


async def test_a_wrong_key_is_known_before_anybody_calls(google: FakeGoogle, world: World) -> None:
    google.revoked.add(API_KEY)
    async with running(world.issuer):
        assert await asyncio.to_thread(google.asked.acquire, timeout=5)
        await until(lambda: "API key not valid" in str(world.issuer.missing), "it is known")
        google.revoked.clear()
        world.now += 60
        await until(lambda: not world.issuer.missing, "the next one succeeds")
    assert world.said == [("ready", {"account": "the API key", "project": None})]


async def test_in_the_pause_after_a_failure_google_is_left_alone(
    google: FakeGoogle, world: World
) -> None:
    google.answer = lambda _: (403, b"no")
    for _ in range(5):
        with pytest.raises(GoogleRefusedError):
            await world.value()
    assert len(google.requests) == 1
    google.answer = lambda _: None
    world.now += 1
    assert await world.value() == google.tokens[0]
    assert world.issuer.missing == []


async def test_many_at_once_are_many_tokens(google: FakeGoogle, world: World) -> None:
    google.gate.clear()
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(world.value()) for _ in range(100)]
        await until(lambda: google.most == AT_ONCE, "so many are minted at once")
        google.gate.set()
    values = [caller.result() for caller in callers]
    assert sorted(values) == sorted(google.tokens)
    assert len(set(values)) == 100
    assert google.most == AT_ONCE


async def test_who_would_wait_too_long_is_refused(
    google: FakeGoogle, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ephemeral, "_WAITING", 3)
    google.gate.clear()
    callers = [asyncio.ensure_future(world.value()) for _ in range(3)]
    await asyncio.to_thread(google.asked.acquire, timeout=5)
    with pytest.raises(GoogleUnreachableError, match="under way already"):
        await world.value()
    google.gate.set()
    assert len(set(await asyncio.gather(*callers))) == 3


async def test_an_echoed_key_is_masked(google: FakeGoogle, world: World) -> None:
    google.answer = lambda _: (400, {"error": {"status": "X", "message": f"bad: {API_KEY}"}})
    with pytest.raises(MintError) as caught:
        await world.value()
    assert str(caught.value) == "127.0.0.1 answered 400: X: bad: [masked]"
