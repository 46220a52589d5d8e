"""The command line, as a process: what it says and how it exits."""

import sys
from pathlib import Path

import pytest
from livegate_cli.main import main

from tests.cli.harness import child, livegate


def test_help_names_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    for name in ("PORT", "WORKERS", "REDIS_URL", "LIVE_UPSTREAM", "TLS=1"):
        assert name in said


@pytest.mark.parametrize("arguments", [[], ["walk"], ["run", "--fast"]])
def test_a_bad_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Usage: livegate" in capsys.readouterr().err


def test_a_bad_value_in_the_file_is_said(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WORKERS=many\n")
    ended = livegate(tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("livegate: WORKERS: ")
    assert "Traceback" not in ended.stderr


def test_ctrl_c_before_anything_runs(tmp_path: Path) -> None:
    """While the run's folder is made: no traceback, exit code 0, as later.

    A background job starts with SIGINT ignored: not here.
    """
    patched = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from livegate_cli import main, run\n"
        "run.prepare = lambda settings: signal.raise_signal(signal.SIGINT)\n"
        "sys.exit(main.main(['run']))\n"
    )
    with child(tmp_path, sys.executable, "-c", patched, env={"LIVE_UPSTREAM": "ws://a"}) as run:
        assert run.ends() == 0, run.text
        assert "Traceback" not in run.text
