"""`livegate keys`: the Redis of the run, or the one that is set."""

import json
from pathlib import Path
from typing import Any

import pytest
from livegate_cli.keys import keys
from livegate_cli.main import main
from livegate_cli.settings import RunSettings


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """What is run, and with which environment."""
    runs: list[tuple[list[str], dict[str, str]]] = []

    class Ended:
        returncode = 7

    def run(command: list[str], *, env: dict[str, str], **_: Any) -> Ended:
        runs.append((command, env))
        return Ended()

    monkeypatch.setattr("livegate_cli.keys.subprocess.run", run)
    return runs


@pytest.mark.parametrize("ports", [{"redis": 4321}, {"redis": 1, "ledger": 4321}])
def test_the_redis_of_the_run(
    tmp_path: Path, started: list[tuple[list[str], dict[str, str]]], ports: dict[str, int]
) -> None:
    (tmp_path / "ports.json").write_text(json.dumps(ports))
    environ = {"RUN_DIR": str(tmp_path)}
    assert keys(["issue", "me"], RunSettings.load(environ), environ) == 7
    [(command, env)] = started
    assert command[1:] == ["-m", "livegate_edge.keys", "issue", "me"]
    assert env["REDIS_URL"] == "redis://127.0.0.1:4321/0"


@pytest.mark.parametrize("name", ["REDIS_URL", "LEDGER_URL"])
def test_one_that_is_set(
    tmp_path: Path, started: list[tuple[list[str], dict[str, str]]], name: str
) -> None:
    environ = {"RUN_DIR": str(tmp_path), name: "redis://elsewhere/0"}
    keys(["list"], RunSettings.load(environ), environ)
    assert started[0][1] == environ


def test_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        keys(["list"], RunSettings.load({"RUN_DIR": str(tmp_path)}), {})
    assert caught.value.code == 2
    assert "LEDGER_URL" in capsys.readouterr().err


def test_everything_after_keys_is_the_commands(
    monkeypatch: pytest.MonkeyPatch,
    started: list[tuple[list[str], dict[str, str]]],
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/0")
    assert main(["keys", "issue", "me", "--days", "3"]) == 7
    assert main(["keys", "--help"]) == 7
    assert [command[3:] for command, _ in started] == [["issue", "me", "--days", "3"], ["--help"]]
