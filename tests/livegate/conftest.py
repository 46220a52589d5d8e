"""A real Redis, and a client to look into it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from livegate import bus
from redis.asyncio import Redis

from tests.support.processes import redis


@pytest.fixture
async def redis_url(tmp_path: Path) -> AsyncIterator[str]:
    async with redis(tmp_path) as url:
        yield url


@pytest.fixture
async def admin(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, single_connection_client=True) as client:
        yield client


@pytest.fixture
def fast_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "HEARTBEAT_S", 0.05)
