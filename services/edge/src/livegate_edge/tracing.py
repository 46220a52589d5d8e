"""A client connection's spans: its own, those of its turns, and its session's if that ends here.

The session's is exported by the edge that sees the session end, with the times that it knows, so
that none is owed by an edge that has died. Times are the wall clock's (s).
"""

import time
from typing import Final

import msgspec
from livegate import frame, traces
from livegate.closes import Close, Closing
from livegate.record import Record

from livegate_edge.outputs import Marked

BEGINS: Final = frame.AUDIO | frame.CONTENT
ENDS: Final = frame.TURN_COMPLETE | frame.INTERRUPTED

FAULTS: Final = ("gateway", "upstream")
"""Causes of closes (`closes.Close.cause`) that are errors in a trace."""

TOGETHER_S: Final = 1.0
"""The word on an answer comes with the answer: one from before was of something else."""


class _Setup(msgspec.Struct):
    model: str = ""


_setup = msgspec.json.Decoder(_Setup)


class Spans:
    """One connection's. `awaits`: the kinds of message that begin or end a turn now; 0 while there
    are no traces, so that a message costs one comparison.
    """

    __slots__ = (
        "_answer",
        "_began",
        "_connection",
        "_former",
        "_holds",
        "_since",
        "_turn",
        "awaits",
    )

    def __init__(self) -> None:
        self.awaits = BEGINS if traces.is_on() else 0
        self._began = time.time()
        self._since = 0.0
        self._holds = False
        self._former = ""
        self._connection: traces.Span | None = None
        self._turn = traces.NOWHERE
        self._answer: tuple[Marked, float] | None = None

    # The session

    def has(self, since: float, *, owned: bool = True) -> None:
        """The connection has a session that began then; not `owned`, it may have ended already."""
        self._since, self._holds = since, owned

    def renamed(self, former: bytes, record: Record) -> None:
        """The session has begun again, under another name."""
        self.over(former, record, "begun_again")
        self._former = former.hex()
        self._since, self._holds = time.time(), True

    def over(self, session: bytes, record: Record, close: str) -> None:
        """The session has ended, and goes on at no other connection."""
        if not self._holds:
            return
        self._holds = False
        with traces.session(session, self._since) as span:
            span.put(close=close, former=self._former or None, **_of(record))
            _judge(span, close)

    # The connection

    def left(self, session: bytes, epoch: int, record: Record, closing: Closing, code: int) -> None:
        """It is closed."""
        close = closing.name.lower()
        if self._turn is not traces.NOWHERE:
            self._turn_ends("cut")
        self.awaits = 0
        with self._begun(session) as span:
            span.put(close=close, code=code, epoch=epoch, **_of(record))
            _judge(span, close)

    def _begun(self, session: bytes) -> traces.Span:
        """Not before it is needed: a session that comes back may be renamed."""
        if self._connection is None:
            self._connection = traces.begin(
                "connection",
                traces.of_session(session),
                kind="server",
                since=self._began,
                session=session.hex(),
            )
        return self._connection

    # Turns

    def answered(self, marked: Marked) -> None:
        """How long the client waited for what comes next."""
        if self.awaits and marked.model_ms is not None:
            self._answer = marked, time.time()

    def heard(self, session: bytes, kinds: int) -> None:
        """A message that `awaits`."""
        if kinds & BEGINS and self._turn is traces.NOWHERE:
            self._turn_begins(session)
        if kinds & ENDS:
            self._turn_ends("interrupted" if kinds & frame.INTERRUPTED else "complete")

    def _turn_begins(self, session: bytes) -> None:
        now = time.time()
        told, self._answer = self._answer, None
        marked = told[0] if told and now - told[1] < TOGETHER_S else None
        waited_ms = marked.turn_ms if marked else None
        self.awaits = ENDS
        self._turn = traces.begin(
            "turn",
            self._begun(session).traceparent,
            since=now - (waited_ms or 0) / 1000,
            first_content_ms=waited_ms,
            model_ms=marked.model_ms if marked else None,
        )

    def _turn_ends(self, how: str) -> None:
        self._turn.put(end=how)
        self._turn.end()
        self._turn = traces.NOWHERE
        self.awaits = BEGINS


def _of(record: Record) -> dict[str, str | None]:
    """What spans say of a session: never its content, nor whose it is."""
    try:
        model = _setup.decode(record.setup).model
    except msgspec.DecodeError:
        model = ""
    return {"model": model or None, "location": record.location or None}


def _judge(span: traces.Span, close: str) -> None:
    row = Close.__members__.get(close.upper())
    if row is not None and row.cause in FAULTS:
        span.fail(close)
