"""The sessions of this process, open and finished, for `/sessions`. Bounded."""

from collections import deque
from typing import Any

from livegate_simulator.endpoints import Endpoint
from livegate_simulator.journal import Bounds, Journal

_FINISHED_BYTES = 128 << 20  # of all finished sessions together; the oldest go


class Registry:
    """Makes the journals and keeps them: all open ones and the last `keep` finished."""

    def __init__(self, keep: int = 200, bounds: Bounds | None = None) -> None:
        self._keep = keep
        self._bounds = bounds or Bounds()
        self._open: dict[int, Journal] = {}
        self._finished: deque[Journal] = deque()
        self._finished_bytes = 0
        self._number = 0

    def begin(self, session_id: str, at: Endpoint, path: str, now: float) -> Journal:
        """A journal for a new connection."""
        self._number += 1
        journal = Journal(self._number, session_id, at.dialect, path, now, self._bounds)
        self._open[journal.number] = journal
        return journal

    def finish(self, journal: Journal) -> None:
        """Its connection is closed."""
        del self._open[journal.number]
        self._finished.append(journal)
        self._finished_bytes += journal.cost_bytes
        while len(self._finished) > self._keep or self._finished_bytes > _FINISHED_BYTES:
            self._finished_bytes -= self._finished.popleft().cost_bytes

    def find(self, key: str) -> Journal | None:
        """By number, or by the id that its setupComplete told."""
        for journal in (*self._open.values(), *self._finished):
            if key in {str(journal.number), journal.session_id}:
                return journal
        return None

    def summaries(self) -> list[dict[str, Any]]:
        """All that is known, the oldest first."""
        journals = sorted((*self._finished, *self._open.values()), key=lambda item: item.number)
        return [journal.summary() for journal in journals]
