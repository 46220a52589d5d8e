"""The ledger: a server that keeps nothing is called that."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from livegate_edge import ledger
from redis.asyncio import Redis
from redis.exceptions import ResponseError


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    found = ledger.connect(redis_url)
    yield found
    await found.aclose()


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(ledger.log, "warning", lambda event, **_: said.append(event))
    return said


async def test_without_persistence(client: Redis, warned: list[str]) -> None:
    assert not await ledger.warn_unless_persistent(client)
    assert len(warned) == 1
    assert "LEDGER_URL" in warned[0]


@pytest.mark.parametrize(("name", "value"), [("appendonly", "yes"), ("save", "900 1")])
async def test_with_either_kind_of_it(
    client: Redis, warned: list[str], name: str, value: str
) -> None:
    await client.config_set(name, value)
    assert await ledger.warn_unless_persistent(client)
    assert warned == []
    # Else it would write before it ends.
    await client.config_set("appendonly", "no", "save", "")


async def test_a_server_that_does_not_tell(
    client: Redis, warned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: Any) -> None:
        raise ResponseError("unknown command 'CONFIG'")

    monkeypatch.setattr(client, "config_get", refused)
    assert await ledger.warn_unless_persistent(client)
    assert warned == []
