"""honcho's manager, so that nothing stays behind however the run ends, and a drained worker begins
anew as under compose.

honcho alone loses children when it is told to stop before all of them have started, when its
output breaks (a closed terminal, `make run | head`), and on SIGHUP.
"""

import multiprocessing
import signal
import sys
from collections.abc import Iterable
from typing import Any

from honcho.manager import Manager
from honcho.printer import Message, Printer

from livegate_cli import plan

STOPPED = 130
"""The return code after SIGINT, SIGTERM or SIGHUP; honcho itself has 143 for SIGTERM."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Output(Printer):  # type: ignore[misc]  # honcho has no types
    """Prints until nobody reads any more."""

    broken = False

    def write(self, message: Message) -> None:
        try:
            super().write(message)
        except OSError:
            self.broken = True


class Programs(Manager):  # type: ignore[misc]  # honcho has no types
    """The programs of a run. From here on a signal means: stop, as soon as all have started."""

    returncode: int | None = None

    def __init__(self, planned: Iterable[plan.Program]) -> None:
        self._output = _Output(sys.stdout)
        super().__init__(self._output)
        self._asked = False
        self._restarts: set[str] = set()
        for program in planned:
            if program.restarts:
                self._restarts.add(program.name)
            self.add_process(program.name, plan.shell(program), env=program.env)
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)

    @property
    def was_stopped(self) -> bool:
        """Whether a signal ended the run, and not a program that ended by itself."""
        return self.returncode in (STOPPED, 143)

    def terminate(self) -> None:
        """Stop every program, now or when all have started."""
        self._asked = True
        if super()._all_started():
            super().terminate()

    def _on_signal(self, *_: object) -> None:
        self.returncode = STOPPED
        self.terminate()

    def _any_stopped(self) -> bool:
        for name, program in self._processes.items():
            drained = name in self._restarts and program.get("returncode") == 0
            if drained and not self._asked and not self._terminating:
                self._start_again(name, program)
        stopped: bool = super()._any_stopped()
        return stopped

    def _start_again(self, name: str, program: dict[str, Any]) -> None:
        del program["pid"], program["returncode"]
        self.returncode = None
        run, events = program["obj"].run, self.events
        program["process"] = multiprocessing.Process(name=name, target=run, args=(events, True))
        program["process"].start()

    def _all_started(self) -> bool:
        started: bool = super()._all_started()
        if started and (self._asked or self._output.broken):
            super().terminate()
        return started
