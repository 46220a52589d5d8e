"""`livegate run` as a process whose every descendant can be found."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from tests.support.processes import free_port
from tests.support.stack import FRONTEND

COMMAND = (sys.executable, "-m", "livegate_cli.main", "run")
PATIENCE_S = 25.0


def everyone(folder: Path) -> dict[int, str]:
    """The command lines of all live processes that work in `folder`, by process id.

    Every program of a run does: what is started inherits its folder.
    """
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if (entry / "cwd").readlink().is_relative_to(folder):
                    words = (entry / "cmdline").read_bytes().decode().split("\0")
                    found[int(entry.name)] = " ".join(words)
    return found


def kill_all(folder: Path) -> None:
    """Kill every process that works in `folder`."""
    for pid in everyone(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Child:
    """A process with its output, line by line as it comes."""

    def __init__(self, process: "subprocess.Popen[bytes]", output: IO[bytes], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self._lines: list[str] = []
        self._closing = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(output,), daemon=True)
        self._reader.start()

    def _read(self, output: IO[bytes]) -> None:
        with suppress(OSError):  # a terminal that its last process has left
            for line in output:
                if self._closing:
                    output.close()
                    break
                with self._changed:
                    self._lines.append(line.decode(errors="replace").rstrip())
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    def says(self, what: str, times: int = 1) -> None:
        """Wait until the output has `what`, in so many lines."""
        with self._changed:
            said = self._changed.wait_for(
                lambda: sum(what in line for line in self._lines) >= times, PATIENCE_S
            )
        assert said, f"it did not say {what!r}:\n{self.text}"

    def ends(self) -> int:
        """Wait for its end and that of everything it started; its exit code."""
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert not self._reader.is_alive(), f"somebody holds its output: {everyone(self.folder)}"
        assert everyone(self.folder) == {}
        return code

    def stops_reading(self) -> None:
        """Close the read end of its output at its next line."""
        self._closing = True

    def pid(self, what: str) -> int:
        """The process id of the only descendant whose command line has `what`."""
        (found,) = (pid for pid, words in everyone(self.folder).items() if what in words)
        return found


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """A free PORT, the page, and `env`."""
    return {**os.environ, "PORT": str(free_port()), "FRONTEND_DIR": str(FRONTEND), **env}


@contextmanager
def child(folder: Path, *command: str, env: Mapping[str, str]) -> Iterator[Child]:
    """A process in `folder` with a pipe for its output."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        yield Child(process, process.stdout, folder)
    finally:
        kill_all(folder)
        process.wait()
        process.stdout.close()


AS_LEADER = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class AtTerminal(Child):
    """A process that leads a session on a terminal of its own; its output is the terminal's."""

    def __init__(self, process: "subprocess.Popen[bytes]", master: IO[bytes], folder: Path) -> None:
        super().__init__(process, master, folder)
        self._master = master

    def types(self, keys: bytes) -> None:
        os.write(self._master.fileno(), keys)

    def hang_up(self) -> None:
        """Close the terminal, as by its window's button."""
        master = os.dup(self._master.fileno())
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, self._master.fileno())
        os.close(nothing)
        os.write(master, b"\n")  # its echo ends the reader's read, which still holds the terminal
        os.close(master)


@contextmanager
def at_terminal(folder: Path, *command: str, env: Mapping[str, str]) -> Iterator[AtTerminal]:
    """A process in `folder` at a new terminal."""
    master, slave = os.openpty()
    with os.fdopen(master, "rb") as stream:
        process = subprocess.Popen(
            (sys.executable, "-c", AS_LEADER, *command),
            cwd=folder,
            env=environment(env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        try:
            yield AtTerminal(process, stream, folder)
        finally:
            kill_all(folder)
            process.wait()


def livegate(folder: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    """A `livegate run` that is expected to end at once."""
    return subprocess.run(
        COMMAND,
        cwd=folder,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
