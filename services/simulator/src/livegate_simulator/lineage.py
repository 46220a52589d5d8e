"""One session over all its connections, linked by handles: what its state contains. Bounded."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from livegate_simulator.journal import Journal

_CONNECTIONS = 100
_EARLIER_BYTES = 8 << 20  # of all connections but the last


@dataclass(frozen=True)
class Span:
    """Of this connection the messages 1 … `upto` count. Connection 0 is one of long ago."""

    connection: int
    upto: int


class Lineage:
    """A session. `current` is its last connection, `holder` the number of the one that is open.

    `last_heard` is when the holder gave its last sign of life, `began` when the first setup came.
    `handles` counts those issued, `fired` are the words of its scenario that have happened.
    """

    def __init__(self, journal: Journal) -> None:
        self.number = journal.number
        self.session_id = journal.session_id
        self.journals = [journal]
        self.spans: tuple[Span, ...] = ()
        self.holder: int | None = None
        self.last_heard = journal.started
        self.began = journal.started
        self.saw_video = False
        self.handles = 0
        self.fired: set[str] = set()

    @property
    def current(self) -> Journal:
        """The connection that came last."""
        return self.journals[-1]

    @property
    def is_open(self) -> bool:
        """One of its sockets is open."""
        return any(not journal.finished for journal in self.journals)

    @property
    def cost_bytes(self) -> int:
        """About what is kept of it."""
        return sum(journal.cost_bytes for journal in self.journals)

    def counted(self) -> tuple[Span, ...]:
        """The messages that the session's state has now."""
        return (*self.spans, Span(self.current.number, max(0, self.current.consumed)))

    def adopt(self, fresh: "Lineage", spans: tuple[Span, ...]) -> None:
        """The connection that `fresh` began with goes on from `spans`; `fresh` is empty then."""
        journal = fresh.current
        fresh.journals = []
        journal.session_id = self.session_id
        journal.resumed_from = spans[-1].connection, spans[-1].upto
        self.current.drop_media()
        self.journals.append(journal)
        if len(spans) > _CONNECTIONS:
            first, second, *rest = spans
            spans = (Span(0, first.upto + second.upto), *rest)
        self.spans = spans
        while len(self.journals) > _CONNECTIONS:
            del self.journals[0]
        for earlier in self.journals[:-1]:
            if sum(journal.cost_bytes for journal in self.journals[:-1]) <= _EARLIER_BYTES:
                break
            earlier.forget()

    def forget(self) -> None:
        """Keep the counts only."""
        for journal in self.journals:
            journal.forget()

    def summary(self) -> dict[str, Any]:
        """For the list of sessions: the last connection, and the counts of all."""
        return self.current.summary() | {
            "n": self.number,
            "id": self.session_id,
            "counts": self._counts(),
            "connections": [journal.number for journal in self.journals],
        }

    def detail(self) -> dict[str, Any]:
        """Everything: the last connection, what the state contains, and each connection."""
        content, missing = self._content()
        return (
            self.current.detail()
            | self.summary()
            | {
                "turns": [asdict(turn) for journal in self.journals for turn in journal.turns],
                "content": content,
                "content_missing": missing,
                "connections": [journal.connection() for journal in self.journals],
            }
        )

    def _content(self) -> tuple[list[dict[str, Any]], int]:
        """What the state has of the client's messages, and how many of them are not kept."""
        journals = {journal.number: journal for journal in self.journals}
        content: list[dict[str, Any]] = []
        missing = 0
        for span in self.counted():
            journal = journals.get(span.connection)
            if journal is None:
                missing += span.upto
                continue
            content += journal.content(span.upto)
            missing += min(span.upto, journal.dropped)
        return content, missing

    def _counts(self) -> dict[str, Any]:
        each = [journal.counts() for journal in self.journals]
        total: dict[str, Any] = {
            name: sum(counts[name] for counts in each)
            for name in ("messages", "received_audio_s", "turns", "interrupted")
        }
        for name in ("received", "sent"):
            total[name] = dict(sum((Counter(counts[name]) for counts in each), Counter()))
        return total
