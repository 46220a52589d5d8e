"""The worker's settings: which upstream, in which dialect, with whose credentials."""

from typing import Literal

import pytest
from livegate_worker.settings import WorkerSettings


@pytest.mark.parametrize(
    ("upstream", "dialect", "needs_broker"),
    [
        ("simulator", "vertex", True),
        ("vertex", "vertex", True),
        ("developer", "developer", True),
        ("ws://host:1", "vertex", False),
        ("wss://host", "vertex", False),
        ("wss://host/base/", "vertex", False),
        ("ws://[::1]:8080", "vertex", False),
    ],
)
def test_upstreams(upstream: str, dialect: str, needs_broker: bool) -> None:
    settings = WorkerSettings(live_upstream=upstream)
    assert (settings.dialect, settings.needs_broker) == (dialect, needs_broker)
    assert settings.live_upstream == upstream.rstrip("/")


@pytest.mark.parametrize("dialect", ["vertex", "developer"])
def test_the_dialect_setting_is_for_what_is_not_googles(
    dialect: Literal["vertex", "developer"],
) -> None:
    for upstream in ("ws://host", "simulator"):
        assert WorkerSettings(live_upstream=upstream, live_dialect=dialect).dialect == dialect
    assert WorkerSettings(live_upstream="vertex", live_dialect=dialect).dialect == "vertex"
    own = WorkerSettings(live_upstream="developer", live_dialect=dialect)
    assert own.dialect == "developer"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIVE_UPSTREAM", "gemini"),
        ("LIVE_UPSTREAM", "Vertex"),
        ("LIVE_UPSTREAM", "http://host"),
        ("LIVE_UPSTREAM", "ws://"),
        ("LIVE_UPSTREAM", "ws://:8080"),
        ("LIVE_UPSTREAM", "ws://host:99999"),
        ("LIVE_UPSTREAM", "ws://host:0"),
        ("LIVE_UPSTREAM", "ws://host:port"),
        ("LIVE_UPSTREAM", "ws://[::1"),
        ("LIVE_DIALECT", "openai"),
        ("BROKER_AUTH", "anything"),
        ("BROKER_URL", "127.0.0.1:8082"),
        ("BROKER_URL", "http://127.0.0.1:99999"),
        ("BROKER_URL", "ws://127.0.0.1"),
        ("SLOTS", "0"),
        ("SLOTS", "many"),
        ("QUOTA_SESSIONS", "-1"),
        ("QUOTA_WAIT_S", "-1"),
        ("CONNECT_TIMEOUT_S", "0"),
        ("DRAIN_S", "-1"),
        ("MAX_UPSTREAM_MESSAGE_BYTES", "0"),
    ],
)
def test_a_bad_value_is_said_with_its_name_at_the_start(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as caught:
        WorkerSettings.load([])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"livegate: {name}: ")


def test_a_bad_url_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIVE_UPSTREAM", "ws://user:hunter2@host:99999")
    with pytest.raises(SystemExit):
        WorkerSettings.load([])
    assert "hunter2" not in capsys.readouterr().err


def test_an_empty_value_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLOTS", "LIVE_UPSTREAM", "BROKER_URL", "UPSTREAM_KEY_FILE"):
        monkeypatch.setenv(name, "")
    assert WorkerSettings.load([]) == WorkerSettings()


@pytest.mark.parametrize(
    ("upstream", "setting", "cap"),
    [("vertex", None, 1000), ("ws://host", None, 0), ("ws://host", 5, 5), ("vertex", 0, 0)],
)
def test_google_has_a_cap(upstream: str, setting: int | None, cap: int) -> None:
    assert WorkerSettings(live_upstream=upstream, quota_sessions=setting).quota == cap


def test_locations_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "eu")
    assert WorkerSettings().all_locations == ("eu",)
    monkeypatch.setenv("LOCATIONS", " us-east1, eu ,")
    assert WorkerSettings().all_locations == ("us-east1", "eu")


def test_the_ledger_is_the_transport_unless_it_has_a_server_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://bus")
    assert WorkerSettings().ledger == "redis://bus"
    monkeypatch.setenv("LEDGER_URL", "redis://:secret@ledger")
    assert WorkerSettings().ledger == "redis://:secret@ledger"
    assert "secret" not in str(WorkerSettings().ledger_url)


def test_no_folder_of_tools_is_none() -> None:
    assert WorkerSettings().tools_dir is None
    assert WorkerSettings.model_validate({"tools_dir": ""}).tools_dir is None
