"""Traces: spans for OpenTelemetry. Off, with nothing loaded, until an OTLP endpoint is set.

A session's name is the id of its trace, and the first half of that the id of its root span: each
process that has a session knows its trace, whatever takeovers, hand-overs and resumes it went
through, and no message carries it. Between worker and broker goes W3C's `traceparent` header
(https://www.w3.org/TR/trace-context/).

A span is for what happens seldom: a session, a connection, a turn, a token. Never for a frame.
"""

import contextlib
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final, Literal, Protocol, Self

from livegate import UNASKED, logs
from livegate.settings import TraceSettings

FLUSH_S: Final = 2.0
"""At the end of a process: so long the last spans may take."""

Kind = Literal["internal", "server", "client"]
Attribute = str | int | float | bool | None
"""None: left out."""

log = logs.get("traces")

_current: ContextVar[str] = ContextVar("traceparent", default="")


class Span:
    """A span that goes nowhere: what there is while traces are off.

    As a context manager it is the parent of what begins inside, and ends with the block.
    """

    __slots__ = ()

    traceparent = ""
    """The span for others, as in W3C's header; empty: there is none."""

    def put(self, **attributes: Attribute) -> None:
        """Add attributes, each `livegate.<name>`; never content, tokens, keys or who a user is."""

    def fail(self, what: str) -> None:
        """It is a fault that it ends as it does."""

    def end(self) -> None:
        """It ends now; once is enough."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()


class Exported(Span):
    """What the exporter's spans have in common."""

    __slots__ = ("_token",)

    _token: Token[str]

    def __enter__(self) -> Self:
        self._token = _current.set(self.traceparent)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _current.reset(self._token)
        if isinstance(error, Exception):
            self.fail(type(error).__name__)
        self.end()


class Exporter(Protocol):
    """`livegate.otlp.Otlp`, which is loaded only where it is wanted."""

    def begin(
        self, name: str, parent: str, kind: Kind, since: float | None, session: bytes
    ) -> Span:
        """A span; `session`: the root of this session's trace, else the child of `parent`."""

    def parent(self, session: bytes) -> str:
        """The root span of a session, for its children."""

    def shutdown(self) -> None:
        """Export what is left; blocks."""


NOWHERE: Final = Span()

_exporter: Exporter | None = None


def is_on() -> bool:
    """Whether spans are exported."""
    return _exporter is not None


def current() -> str:
    """The `traceparent` of the span around this; "" if there is none."""
    return _current.get()


def of_session(session: bytes) -> str:
    """The parent of a session's spans, whoever exports its root."""
    return _exporter.parent(session) if _exporter is not None else ""


def begin(
    name: str,
    parent: str = "",
    *,
    kind: Kind = "internal",
    since: float | None = None,
    **attributes: Attribute,
) -> Span:
    """A span below `parent` (a traceparent) or the current one, else the first of a trace.

    `since`: when it began, by the wall clock (s); default: now.
    """
    if _exporter is None:
        return NOWHERE
    span = _exporter.begin(name, parent or current(), kind, since, b"")
    span.put(**attributes)
    return span


def session(name: bytes, since: float) -> Span:
    """The root of a session's trace, for the one process that sees the session end."""
    if _exporter is None:
        return NOWHERE
    span = _exporter.begin("session", "", "internal", since, name)
    span.put(session=name.hex())
    return span


@contextlib.contextmanager
def exporting(settings: TraceSettings, service: str, instance: str = "") -> Iterator[None]:
    """Export spans in this block, if an endpoint is set; at its end what is left, `FLUSH_S` at
    most. `instance` tells one process of a service from another.
    """
    global _exporter  # noqa: PLW0603, one a process, as the SDK's own
    if not settings.otel_exporter_otlp_endpoint:
        yield
        return
    for name in UNASKED:
        if sys.modules.get(name, UNASKED) is None:
            del sys.modules[name]
    from livegate.otlp import Otlp  # noqa: PLC0415, memory and start time for who has no traces

    _exporter = exporter = Otlp(settings, service, instance)
    try:
        yield
    finally:
        _exporter = None
        # In a thread that may be left behind: the SDK itself would wait for 30 s.
        last = threading.Thread(target=exporter.shutdown, daemon=True)
        last.start()
        last.join(FLUSH_S)
        if last.is_alive():
            log.warning("the last spans are lost; see OTEL_EXPORTER_OTLP_ENDPOINT")
