"""A real Redis, and no setting or proxy of the machine's own."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from livegate import bus
from livegate_worker import worker
from livegate_worker.settings import WorkerSettings

from tests.support.processes import redis


@pytest.fixture
async def redis_url(tmp_path: Path) -> AsyncIterator[str]:
    async with redis(tmp_path) as url:
        yield url


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {name.upper() for name in WorkerSettings.model_fields}
    for name in list(os.environ):
        if name in ours or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def short_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The played edge is often gone before the worker: no use to wait for it."""
    monkeypatch.setattr(worker, "LAST_FRAMES_S", 0.05)


@pytest.fixture
def fast_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "HEARTBEAT_S", 0.05)
