"""Ctrl-C at a real terminal, under a `make` that would report an error of its own."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.harness import COMMAND, at_terminal, child

PROGRAM = """
import os, signal, sys
from livegate_cli.terminal import own_group
def foreground(): return os.tcgetpgrp(0) == os.getpgrp()
def say(*what): print("said", *what, flush=True)
parent = os.getppid()
say("before", foreground(), os.getpgrp() == os.getpid())
with own_group():
    say("inside", foreground(), os.getpgrp() == os.getpid())
    say("stoppable", signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL)
    HERE
say("after", os.tcgetpgrp(0) == os.getpgid(parent))
"""
PARENT = """
import subprocess, sys
sys.exit(subprocess.run(sys.argv[2:], process_group=0 if sys.argv[1] == "new" else None).returncode)
"""


def command(*, group: str, inside: str = "pass") -> tuple[str, ...]:
    """`PROGRAM` below a parent that leads the terminal's foreground group."""
    program = PROGRAM.replace("HERE", inside)
    return (sys.executable, "-c", PARENT, group, sys.executable, "-c", program)


def test_below_a_parent_the_terminal_is_taken_and_given_back(tmp_path: Path) -> None:
    with at_terminal(tmp_path, *command(group="same"), env={}) as program:
        assert program.ends() == 0
        said = [line for line in program.text.splitlines() if line.startswith("said")]
        assert said == [
            "said before True False",
            "said inside True True",
            "said stoppable False",
            "said after True",
        ]


def test_it_is_given_back_after_an_error_too(tmp_path: Path) -> None:
    inside = "import atexit; atexit.register(lambda: say('end', os.tcgetpgrp(0) == os.getpgid(parent))); 1/0"  # noqa: E501
    with at_terminal(tmp_path, *command(group="same", inside=inside), env={}) as program:
        assert program.ends() == 1
        assert "said end True" in program.text


def test_in_the_background_nothing_is_taken(tmp_path: Path) -> None:
    """It would be a background job that grabs the terminal from under its shell."""
    with at_terminal(tmp_path, *command(group="new"), env={}) as program:
        assert program.ends() == 0
        assert "said before False True" in program.text
        assert "said inside False True" in program.text
        assert "said after True" in program.text


def test_a_leader_of_its_own_group_stays_as_it_is(tmp_path: Path) -> None:
    """As an interactive shell starts a command: Ctrl-Z is the shell's to handle."""
    program_text = PROGRAM.replace("HERE", "pass").replace("os.getpgid(parent)", "os.getpgrp()")
    with at_terminal(tmp_path, sys.executable, "-c", program_text, env={}) as program:
        assert program.ends() == 0
        assert "said inside True True" in program.text
        assert "said stoppable True" in program.text


def test_without_a_terminal(tmp_path: Path) -> None:
    text = "from livegate_cli.terminal import own_group\nwith own_group(): print('fine')"
    with child(tmp_path, sys.executable, "-c", text, env={}) as program:
        assert program.ends() == 0
        assert program.text == "fine"


def test_without_a_standard_input(tmp_path: Path) -> None:
    text = "import sys\nsys.stdin.close()\n"
    text += "from livegate_cli.terminal import own_group\nwith own_group(): print('fine')"
    with child(tmp_path, sys.executable, "-c", text, env={}) as program:
        assert program.ends() == 0
        assert program.text == "fine"


@pytest.fixture
def makefile(tmp_path: Path) -> Path:
    """`make run` as the real one does it, with another interpreter."""
    (tmp_path / "Makefile").write_text(f"run:\n\t@true\n\t@exec {' '.join(COMMAND)}\n")
    return tmp_path


ENV = {"LIVE_UPSTREAM": "ws://127.0.0.1:9", "WORKERS": "1"}


def test_ctrl_c_under_make_is_a_good_end(makefile: Path) -> None:
    """After Ctrl-Z, which must not leave a stopped run that nobody can wake up."""
    with at_terminal(makefile, "make", "run", env=ENV) as make:
        make.says("livegate is ready: ")
        make.types(b"\x1a\x03")
        assert make.ends() == 0
        assert "Error" not in make.text
        assert "livegate: stopped" in make.text


def test_a_closed_terminal_ends_everything(makefile: Path) -> None:
    with at_terminal(makefile, "make", "run", env=ENV) as make:
        make.says("started (pid=", times=2)
        make.hang_up()
        assert make.ends() != 0


def test_make_that_is_told_to_stop_ends_everything(makefile: Path) -> None:
    with child(makefile, "make", "run", env=ENV) as make:
        make.says("started (pid=", times=2)
        os.kill(make.process.pid, signal.SIGTERM)
        make.ends()
