"""No setting or proxy of the machine's own, and no long drain."""

import os

import pytest
from livegate_worker import worker
from livegate_worker.settings import WorkerSettings


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
