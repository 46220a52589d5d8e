"""The sessions of this process, open and finished, for `/sessions`. Bounded."""

from typing import Any

from livegate_simulator.endpoints import Endpoint
from livegate_simulator.journal import Bounds, Journal
from livegate_simulator.lineage import Lineage

_FINISHED_BYTES = 128 << 20  # of all finished sessions together; the oldest go


class Registry:
    """Keeps all open sessions and the last `keep` finished ones."""

    def __init__(self, keep: int = 200, bounds: Bounds | None = None) -> None:
        self._keep = keep
        self._bounds = bounds or Bounds()
        self._open: dict[int, Lineage] = {}
        self._finished: dict[int, Lineage] = {}
        self._number = 0

    def begin(self, session_id: str, at: Endpoint, path: str, now: float) -> Lineage:
        """A session for a new connection, until it turns out to resume another."""
        self._number += 1
        journal = Journal(self._number, session_id, at.dialect, path, now, self._bounds)
        lineage = Lineage(journal)
        self._open[lineage.number] = lineage
        return lineage

    def resumed(self, fresh: Lineage, lineage: Lineage) -> None:
        """The connection that began as `fresh` belongs to `lineage`."""
        del self._open[fresh.number]
        self._finished.pop(lineage.number, None)
        self._open[lineage.number] = lineage

    def finish(self, lineage: Lineage, journal: Journal) -> None:
        """The socket of `journal`, one of its connections, is closed."""
        journal.finished = True
        if lineage.is_open:
            return
        del self._open[lineage.number]
        self._finished[lineage.number] = lineage
        size = sum(finished.cost_bytes for finished in self._finished.values())
        while len(self._finished) > self._keep or size > _FINISHED_BYTES:
            oldest = self._finished.pop(next(iter(self._finished)))
            size -= oldest.cost_bytes
            oldest.forget()  # its handles are still good

    def find(self, key: str) -> Lineage | None:
        """By the number of one of its connections, or by the id that its setupComplete told."""
        for lineage in (*self._open.values(), *self._finished.values()):
            numbers = {str(journal.number) for journal in lineage.journals}
            if key == lineage.session_id or key in numbers:
                return lineage
        return None

    def summaries(self) -> list[dict[str, Any]]:
        """All that is known, the oldest first."""
        known = sorted((self._open | self._finished).items())
        return [lineage.summary() for _, lineage in known]
