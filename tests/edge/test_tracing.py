"""A connection's spans: when they begin and end, what they say, and whose they are."""

from collections.abc import Iterator

import msgspec
import pytest
from livegate import frame, traces
from livegate.closes import Close, Closing
from livegate.record import Record
from livegate.settings import TraceSettings
from livegate_edge.outputs import Marked
from livegate_edge.tracing import BEGINS, ENDS, Spans

from tests.support.collector import Collector, collector

SESSION, FRESH = bytes(range(1, 17)), bytes(range(2, 18))
RECORD = Record(
    setup=msgspec.Raw(b'{"model":"m","systemInstruction":{"parts":[{"text":"hush"}]}}'),
    user="somebody",
    handle="handle",
    location="us-central1",
)
ENDED = Closing.of(Close.ENDED)


@pytest.fixture
def told() -> Iterator[Collector]:
    """Everything is exported by the end of `exporting`."""
    with collector() as here:
        yield here


def exporting(told: Collector) -> TraceSettings:
    return TraceSettings(otel_exporter_otlp_endpoint=told.url)


def test_off_it_awaits_nothing_and_does_nothing() -> None:
    spans = Spans()
    spans.has(1.0)
    spans.answered(Marked(1, model_ms=1, turn_ms=2))
    assert spans.awaits == 0
    spans.left(SESSION, 1, RECORD, ENDED, 1000)
    spans.over(SESSION, RECORD, "ended")
    assert spans.awaits == 0


def test_a_message_matters_only_where_a_turn_begins_or_ends(told: Collector) -> None:
    with traces.exporting(exporting(told), "edge"):
        spans = Spans()
        spans.has(1.0)
        assert spans.awaits == BEGINS
        spans.heard(SESSION, frame.AUDIO)
        assert spans.awaits == ENDS
        spans.heard(SESSION, frame.TURN_COMPLETE)
        assert spans.awaits == BEGINS
        spans.heard(SESSION, frame.CONTENT | frame.INTERRUPTED)
        assert spans.awaits == BEGINS
        spans.heard(SESSION, frame.AUDIO)
        spans.left(SESSION, 3, RECORD, ENDED, 1000)
        assert spans.awaits == 0
    assert [turn.attributes["end"] for turn in told.named("turn")] == [
        *("complete", "interrupted", "cut")
    ]
    [connection] = told.named("connection")
    assert {turn.parent for turn in told.named("turn")} == {connection.id}
    assert connection.attributes == {
        "session": SESSION.hex(),
        "close": "ended",
        "code": 1000,
        "epoch": 3,
        "model": "m",
        "location": "us-central1",
    }


def test_a_turn_begins_where_what_was_said_ends(told: Collector) -> None:
    with traces.exporting(exporting(told), "edge"):
        spans = Spans()
        spans.answered(Marked(0, worker_ms=3.0))
        spans.answered(Marked(0, model_ms=400.0, turn_ms=750.0))
        spans.heard(SESSION, frame.AUDIO)
        spans.heard(SESSION, frame.TURN_COMPLETE)
        spans.heard(SESSION, frame.AUDIO | frame.TURN_COMPLETE)
        spans.left(SESSION, 1, RECORD, ENDED, 1000)
    first, second = told.named("turn")
    assert first.attributes == {"end": "complete", "first_content_ms": 750.0, "model_ms": 400.0}
    assert first.ended_ns - first.began_ns >= 750e6
    assert second.attributes == {"end": "complete"}, "nobody said when it was asked"


@pytest.mark.parametrize(
    ("close", "error"),
    [(Close.ENDED, ""), (Close.IDLE, ""), (Close.NO_WORKER, "no_worker"), (Close.QUOTA, "quota")],
)
def test_a_close_that_is_a_fault_is_an_error(close: Close, error: str, told: Collector) -> None:
    with traces.exporting(exporting(told), "edge"):
        spans = Spans()
        spans.has(1.0)
        spans.over(SESSION, RECORD, close.label)
        spans.left(SESSION, 1, RECORD, Closing.of(close, "a reason of somebody's"), 1011)
    assert [span.error for span in told.spans] == [error, error]
    for content in (b"hush", b"somebody", b"handle"):
        assert content not in told.raw


def test_a_session_is_told_once_by_who_sees_it_end(told: Collector) -> None:
    with traces.exporting(exporting(told), "edge"):
        elsewhere = Spans()
        elsewhere.has(1.0, owned=False)
        elsewhere.over(SESSION, RECORD, "session_lost")
        here = Spans()
        here.has(2.0)
        here.over(SESSION, RECORD, "ended")
        here.over(SESSION, RECORD, "ended")
    [session] = told.named("session")
    assert session.began_ns == 2_000_000_000


def test_a_session_that_begins_again_has_a_trace_of_its_own(told: Collector) -> None:
    with traces.exporting(exporting(told), "edge"):
        spans = Spans()
        spans.has(1.0)
        spans.renamed(SESSION, RECORD)
        spans.over(FRESH, RECORD, "ended")
        spans.left(FRESH, 1, RECORD, ENDED, 1000)
    former, session = told.named("session")
    assert (former.trace, former.attributes["close"]) == (SESSION.hex(), "begun_again")
    assert (session.trace, session.attributes["former"]) == (FRESH.hex(), SESSION.hex())
    assert [span.trace for span in told.named("connection")] == [FRESH.hex()]
