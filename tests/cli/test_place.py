"""Which Redis is asked."""

import json
from pathlib import Path

import pytest
from livegate_cli import place
from livegate_cli.main import main

from tests.support.processes import free_port


def test_the_flag_then_the_setting_then_the_run(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text(json.dumps({"redis": 4321}))
    run = {"RUN_DIR": str(tmp_path)}
    both = run | {"REDIS_URL": "redis://set/0"}
    assert place.settings("redis://flag/0", both).redis == "redis://flag/0"
    assert place.settings(None, both).redis == "redis://set/0"
    assert place.settings(None, run).redis == "redis://127.0.0.1:4321/0"


def test_the_password_and_the_ledger(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hidden\n")
    environ = {
        "REDIS_URL": "redis://a/0",
        "LEDGER_URL": "redis://b/0",
        "REDIS_PASSWORD_FILE": str(tmp_path / "password"),
    }
    settings = place.settings(None, environ)
    assert (settings.redis, settings.ledger) == ("redis://:hidden@a/0", "redis://:hidden@b/0")


def test_the_ledger_of_the_run_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text(json.dumps({"redis": 4321, "ledger": 4322}))
    run = {"RUN_DIR": str(tmp_path)}
    assert place.settings(None, run).ledger == "redis://127.0.0.1:4322/0"
    assert place.settings(None, run | {"LEDGER_URL": "redis://set/0"}).ledger == "redis://set/0"
    assert place.settings("redis://flag/0", run).ledger == "redis://flag/0"


def test_nothing_to_ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        place.settings(None, {"RUN_DIR": str(tmp_path)})
    assert caught.value.code == 2
    assert "REDIS_URL" in capsys.readouterr().err


def test_no_answer_names_the_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["sessions", "list", "--redis-url", f"redis://127.0.0.1:{free_port()}/0"])
    assert caught.value.code == 2
    assert "check REDIS_URL" in capsys.readouterr().err


def test_the_gateway_is_at_the_setting_then_where_the_run_is(tmp_path: Path) -> None:
    run = {"RUN_DIR": str(tmp_path)}
    assert place.gateway(run) == "http://localhost:8000"
    (tmp_path / "ports.json").write_text(json.dumps({"redis": 4321, "page": 8770}))
    assert place.gateway(run) == "http://localhost:8770"
    assert place.gateway(run | {"PORT": "81"}) == "http://localhost:81"
