"""The edge's settings: which models are allowed, and what a bad value does."""

import datetime as dt
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from livegate import models
from livegate_edge.gateway import Gateway
from livegate_edge.settings import EdgeSettings

CATALOGUE = models.load()
IDS = [model.id for model in CATALOGUE.models]
TODAY = dt.datetime.now(dt.UTC).date().isoformat()
SERVED = [model for model in CATALOGUE.models if not (model.retires and model.retires <= TODAY)]
VERTEX = [model.id for model in SERVED if "vertex" in model.platforms]
DEVELOPER = [model.id for model in SERVED if "developer" in model.platforms]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in EdgeSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("upstream", "name", "allowed"),
    [
        ("simulator", "simulator", IDS),
        ("vertex", "vertex", VERTEX),
        ("developer", "developer", DEVELOPER),
        ("wss://secret-host.example:1/?key=x", "other", IDS),
    ],
)
def test_the_upstream_decides_which_models_and_is_never_named_by_its_host(
    upstream: str, name: str, allowed: list[str]
) -> None:
    settings = EdgeSettings(live_upstream=upstream)
    assert settings.upstream_name == name
    assert sorted(settings.allowed_models) == sorted(allowed)


def test_the_platforms_differ() -> None:
    """Else the test above shows nothing."""
    assert DEVELOPER != VERTEX


def test_the_catalogues_default_comes_first_where_it_is_allowed() -> None:
    assert EdgeSettings().allowed_models[0] == CATALOGUE.default_model


@pytest.mark.parametrize("value", ["a,b,c", " a , b,,c, ", "a,\tb,c"])
def test_models_are_comma_separated(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS", value)
    assert EdgeSettings.load([]).allowed_models == ("a", "b", "c")


@pytest.mark.parametrize("value", ["", ",", " , "])
def test_no_model_named_means_all(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS", value)
    assert sorted(EdgeSettings.load([]).allowed_models) == sorted(IDS)


def test_the_default_goes_first_and_the_others_keep_their_order() -> None:
    settings = EdgeSettings(models=("a", "b", "c"), default_model="b")
    assert settings.allowed_models == ("b", "a", "c")


def test_a_default_that_is_not_allowed_does_not_become_allowed() -> None:
    settings = EdgeSettings(models=("a", "b"), default_model="gemini-9-ultra")
    assert settings.allowed_models == ("a", "b")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SETUP_TIMEOUT_S", "0"),
        ("OWNER_TIMEOUT_S", "-1"),
        ("IDLE_TIMEOUT_S", "soon"),
        ("MAX_MESSAGE_BYTES", "0"),
        ("MAX_MESSAGE_BYTES", "4MB"),
        ("TLS_PORT", "65536"),
        ("RESUME_WINDOW_S", "0"),
        ("DRAIN_S", "-1"),
    ],
)
def test_a_bad_value_is_said_with_its_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as caught:
        EdgeSettings.load([])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(f"livegate: {name}: ")


def test_tls_needs_both_files() -> None:
    cert, key = Path("c"), Path("k")
    assert EdgeSettings().tls is None
    assert EdgeSettings(tls_cert_file=cert).tls is None
    assert EdgeSettings(tls_key_file=key).tls is None
    both = EdgeSettings(tls_cert_file=cert, tls_key_file=key, tls_port=9).tls
    assert both == (9, cert, key)


def test_print_config_shows_no_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@host/0")
    with pytest.raises(SystemExit) as caught:
        EdgeSettings.load(["--print-config"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert "hunter2" not in said
    assert "SETUP_TIMEOUT_S=10" in said


def test_a_model_that_google_has_retired_is_offered_only_by_others() -> None:
    retired = "gemini-2.0-flash-live-preview-04-09"
    assert retired in EdgeSettings(live_upstream="simulator").allowed_models
    assert retired not in EdgeSettings(live_upstream="vertex").allowed_models
    assert EdgeSettings(live_upstream="vertex", models=retired).allowed_models == (retired,)


# Keys


def test_without_a_file_there_are_no_keys() -> None:
    assert EdgeSettings().seal_keys == ()


@pytest.mark.parametrize("text", ["{}\n{}\n", "{}\r\n{}", "\n {} \n\n{}"])
def test_keys_stand_one_a_line_in_their_order(text: str, tmp_path: Path) -> None:
    first, second = Fernet.generate_key(), Fernet.generate_key()
    file = tmp_path / "keys"
    file.write_bytes(text.format(first.decode(), second.decode()).encode())
    assert EdgeSettings(seal_keys_file=file).seal_keys == (first, second)


@pytest.mark.parametrize("content", [None, "", " \n", "no-key", "{key}\nshort", "# {key}"])
def test_a_bad_file_of_keys_is_said_at_the_start_and_not_shown(
    content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = Fernet.generate_key().decode()
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content.format(key=key))
    with pytest.raises(SystemExit) as caught:
        Gateway(EdgeSettings(redis_url="redis://127.0.0.1:1/0", seal_keys_file=file))
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("livegate: SEAL_KEYS_FILE: ")
    assert str(file) in said
    assert key not in said


def test_the_simulator_in_the_developer_dialect_has_that_platforms_models() -> None:
    simulated = EdgeSettings(live_upstream="simulator", live_dialect="developer")
    assert simulated.allowed_models == EdgeSettings(live_upstream="developer").allowed_models
    assert EdgeSettings(live_upstream="vertex", live_dialect="developer").platform == "vertex"
