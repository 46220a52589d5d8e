"""No setting of the machine's own reaches a test."""

import os

import pytest

OURS = (
    "LIVE_UPSTREAM",
    "PORT",
    "HOST",
    "WORKERS",
    "REDIS_URL",
    "LEDGER_URL",
    "TLS",
    "TLS_PORT",
    "RUN_DIR",
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name in OURS or name.startswith(("GOOGLE_", "CREDENTIALS_")):
            monkeypatch.delenv(name)
