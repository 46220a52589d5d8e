"""A real Redis, and no setting or proxy of the machine's own."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
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
