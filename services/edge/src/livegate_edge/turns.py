"""How long a client waits for its answers. Pure.

Where what the client said ends, its owner is sent a mark (`livegate.marks`). A page sets marks
itself; of others that say where they end, the edge sets one, with the number 0.
"""

from livegate import frame, marks
from livegate.turn import ENDING, End, end_of

from livegate_edge.outputs import Marked

UNANSWERED_S = 30.0
"""An answer that is owed so long will not come."""

OWN = 0
"""The number of the edge's own marks."""


class Turns:
    """One session's."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._at = 0.0
        self._owed = False
        self._is_marked_by_client = False

    def said(self, kinds: int, payload: bytes, now: float, *, speaking: bool) -> bool:
        """A message of the client's. True: what it said ends here, so its owner is to be asked.

        `speaking`: the model is, so what comes next is no answer.
        """
        if not kinds & ENDING or self._is_marked_by_client or speaking:
            return False
        end = end_of(payload)
        if end is End.NONE:
            return False
        self._number, self._at, self._owed = OWN, now, end is End.OWED
        return True

    def marked(self, number: int, now: float) -> None:
        """The client's own mark; it may be of noise, to which there is no answer."""
        self._is_marked_by_client = True
        self._number, self._at, self._owed = number, now, False

    @property
    def asks(self) -> int | None:
        """The number of the mark that waits for the model."""
        return self._number

    def told(self, mark: marks.Mark, now: float) -> Marked | None:
        """The owner's word on a mark; None: on one before the latest."""
        if mark.n != self._number:
            return None
        waited_ms = marks.ms(now - self._at)
        if mark.model_ms is None:
            return Marked(mark.n, worker_ms=waited_ms)
        self._number = None
        return Marked(mark.n, model_ms=mark.model_ms, turn_ms=waited_ms)

    def answered(self, kinds: int) -> None:
        """A message of the model's, to which its owner told no mark: it was speaking already."""
        if kinds & (frame.AUDIO | frame.CONTENT):
            self._number = None

    def overdue(self, now: float) -> Marked | None:
        """An answer that is owed has not come."""
        if self._number is None or not self._owed or now - self._at < UNANSWERED_S:
            return None
        self._number = None
        return Marked(OWN, turn_ms=UNANSWERED_S * 1000)
