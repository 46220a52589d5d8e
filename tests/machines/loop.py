"""An event loop on the world's clock: the processes' own shells run on it, one loop a process, so
that each can be stopped, thawed or killed. No I/O, no waiting.
"""

import asyncio
import heapq
from asyncio import events
from collections.abc import Callable, Coroutine
from typing import Any


class Clock:
    """The world's time (s)."""

    def __init__(self) -> None:
        self.now = 1000.0


class _NoSelector:
    def select(self, timeout: float | None = None) -> list[Any]:
        del timeout
        return []


class Loop(asyncio.BaseEventLoop):
    """Runs until nothing is ready; `host` is the process that it belongs to."""

    def __init__(self, clock: Clock, host: Any) -> None:
        super().__init__()
        self.host = host
        self.errors: list[BaseException] = []
        self._clock = clock
        self._selector = _NoSelector()
        self.set_exception_handler(self._note)

    def time(self) -> float:
        return self._clock.now

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def _note(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.errors.append(error)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """A task whose failure is noted."""
        self.create_task(coroutine).add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            error = task.exception()
            if error is not None:
                self.errors.append(error)

    @property
    def next_timer(self) -> float | None:
        """When it has to run again; None: never by itself."""
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0].cancelled():
            heapq.heappop(scheduled)._scheduled = False  # type: ignore[attr-defined]
            self._timer_cancelled_count = max(0, self._timer_cancelled_count - 1)
        return scheduled[0].when() if scheduled else None

    _timer_cancelled_count: int

    def run_ready(self) -> bool:
        """Run what is ready or due until nothing is; whether anything was."""
        ran = False
        ready = self._ready  # type: ignore[attr-defined]
        events._set_running_loop(self)
        try:
            while True:
                due = self.next_timer
                if not ready and (due is None or due > self._clock.now):
                    return ran
                ran = True
                self._run_once()  # type: ignore[attr-defined]
        finally:
            events._set_running_loop(None)

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Call it on this loop."""
        self.call_soon(function, *args)

    def end(self) -> None:
        """Cancel everything."""
        self.run_ready()
        while tasks := asyncio.all_tasks(self):
            for task in tasks:
                task.cancel()
            self.run_ready()
        self.close()
