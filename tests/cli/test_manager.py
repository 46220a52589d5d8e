"""However a run ends, nothing of it stays behind."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.harness import Child, child

RUN = """
import sys
from livegate_cli.manager import Programs
from livegate_cli.plan import Program
import os
commands = [command.split() for command in sys.argv[1:]]
programs = [
    Program(f"p{n}", tuple(c), os.environ, restarts="again" in c[-1])
    for n, c in enumerate(commands)
]
manager = Programs(programs)
manager.loop()
code = manager.returncode
print(f"code {code} stopped {manager.was_stopped}", flush=True)
"""
LONG = "sleep 1000"


def command(*programs: str, first: str = "") -> tuple[str, ...]:
    return (sys.executable, "-c", first + RUN, *programs)


def last(run: Child) -> str:
    return run.text.splitlines()[-1]


def test_hang_up_stops_all(tmp_path: Path) -> None:
    with child(tmp_path, *command(LONG, LONG), env={}) as run:
        run.says("started (pid=", times=2)
        run.process.send_signal(signal.SIGHUP)
        assert run.ends() == 0
        assert last(run).endswith("stopped True")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_before_all_have_started(tmp_path: Path, number: signal.Signals) -> None:
    """From the manager's first moment on."""
    early = (
        "import os, signal\n"
        "from honcho.manager import Manager\n"
        "start = Manager._start\n"
        "def impatient(self):\n"
        f"    start(self)\n    os.kill(os.getpid(), {number.value})\n"
        "Manager._start = impatient\n"
    )
    with child(tmp_path, *command(LONG, LONG, LONG, first=early), env={}) as run:
        assert run.ends() == 0
        assert last(run).endswith("stopped True")


def test_a_signal_before_the_loop(tmp_path: Path) -> None:
    early = (
        "import os, signal\n"
        "from honcho.manager import Manager\n"
        "loop = Manager.loop\n"
        "def impatient(self):\n"
        f"    os.kill(os.getpid(), {signal.SIGTERM.value})\n    loop(self)\n"
        "Manager.loop = impatient\n"
    )
    with child(tmp_path, *command(LONG, LONG, first=early), env={}) as run:
        assert run.ends() == 0
        assert last(run).endswith("stopped True")


def test_a_signal_to_the_whole_group(tmp_path: Path) -> None:
    """As Ctrl-C at a terminal: honcho's own children get it too."""
    group = "import os\nos.setpgid(0, 0)\n"
    with child(tmp_path, *command(LONG, LONG, first=group), env={}) as run:
        run.says("started (pid=", times=1)
        os.killpg(run.process.pid, signal.SIGINT)
        assert run.ends() == 0
        assert last(run).endswith("stopped True")


@pytest.mark.parametrize(("program", "code"), [("false", 1), ("true", 0)])
def test_a_program_that_ends_by_itself_ends_all(tmp_path: Path, program: str, code: int) -> None:
    with child(tmp_path, *command(LONG, program, LONG), env={}) as run:
        assert run.ends() == 0
        assert last(run) == f"code {code} stopped False"


def test_a_drained_worker_begins_anew(tmp_path: Path) -> None:
    """It ends in order twice, then fails: only that ends the run, with its code."""
    script = tmp_path / "again"
    mark = tmp_path / "mark"
    script.write_text(f"echo x >> {mark}; test $(wc -l < {mark}) -lt 3")
    with child(tmp_path, *command(LONG, f"sh {script}"), env={}) as run:
        assert run.ends() == 0
        assert run.text.count("p1 stopped (rc=0)") == 2
        assert last(run) == "code 1 stopped False"


def test_a_program_that_is_killed_ends_all(tmp_path: Path) -> None:
    with child(tmp_path, *command("sleep 1001", LONG), env={}) as run:
        run.says("started (pid=", times=2)
        line = next(line for line in run.text.splitlines() if "p0 started (pid=" in line)
        os.kill(int(line.partition("pid=")[2].rstrip(")")), signal.SIGKILL)
        assert run.ends() == 0
        assert last(run) == "code -9 stopped False"


def test_when_nobody_reads_the_output_all_ends(tmp_path: Path) -> None:
    """`livegate run | head`."""
    with child(tmp_path, *command(LONG, "yes"), env={}) as run:
        run.says("| y", times=3)
        run.stops_reading()
        assert run.ends() != 0
