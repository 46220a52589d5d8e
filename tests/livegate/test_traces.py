"""Traces: nothing at all while they are off, and a fault in them is nobody else's."""

import subprocess
import sys
import threading
import time

import pytest
from livegate import traces
from livegate.settings import TraceSettings

from tests.support.collector import collector

SESSION = bytes(range(1, 17))
OFF = TraceSettings(otel_exporter_otlp_endpoint="")

LOADED = """
import sys
import livegate_edge.__main__, livegate_worker.__main__, livegate_broker.__main__
from livegate import traces
from livegate.settings import TraceSettings
with traces.exporting(TraceSettings(), "edge"), traces.begin("turn"):
    print([
        name
        for name, module in sys.modules.items()
        if name.startswith("opentelemetry") and getattr(module, "__file__", None)
    ])
"""


def on(url: str) -> TraceSettings:
    return TraceSettings(otel_exporter_otlp_endpoint=url)


def test_without_an_endpoint_nothing_is_loaded() -> None:
    """Memory and start time of who has no traces."""
    ran = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_off_a_span_is_always_the_same_one() -> None:
    with traces.exporting(OFF, "edge"):
        assert not traces.is_on()
        assert traces.of_session(SESSION) == ""
        for span in (traces.begin("turn", since=1.0, kind="server"), traces.session(SESSION, 1.0)):
            assert span is traces.NOWHERE
            with span as same:
                same.put(model="m")
                same.fail("no")
                assert traces.current() == same.traceparent == ""


def test_what_begins_inside_a_span_is_its_child() -> None:
    with collector() as told:
        with traces.exporting(on(told.url), "edge", "e1"), traces.begin("outer") as outer:
            assert traces.current() == outer.traceparent
            with traces.begin("inner", kind="client", code=1000, close=None):
                pass
        assert traces.current() == ""
    [inner] = told.named("inner")
    [span] = told.named("outer")
    assert (inner.trace, inner.parent) == (span.trace, span.id)
    assert inner.attributes == {"code": 1000}
    assert (span.parent, span.service, span.instance) == ("", "livegate-edge", "e1")


def test_an_exception_is_the_spans_failure_without_its_text() -> None:
    with (
        collector() as told,
        traces.exporting(on(told.url), "edge"),
        pytest.raises(ValueError, match="secret"),
        traces.begin("turn"),
    ):
        raise ValueError("secret")
    assert told.named("turn")[0].error == "ValueError"
    assert b"secret" not in told.raw


def test_a_sessions_children_and_its_root_find_each_other_in_any_order() -> None:
    with collector() as told:
        with traces.exporting(on(told.url), "session-worker"):
            traces.begin("upstream", traces.of_session(SESSION)).end()
        with traces.exporting(on(told.url), "edge"):
            with traces.session(SESSION, since=1_000.5) as span:
                span.put(close="ended")
            traces.begin("other").end()
    [root] = told.named("session")
    [child] = told.named("upstream")
    assert root.trace == child.trace == SESSION.hex()
    assert child.parent == root.id
    assert root.began_ns == 1_000_500_000_000
    assert root.attributes == {"session": SESSION.hex(), "close": "ended"}
    assert told.named("other")[0].trace != root.trace


def test_a_collector_that_never_answers_holds_the_end_up_for_two_seconds_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(traces, "FLUSH_S", 0.05)
    answers = threading.Event()

    class Stuck:
        def shutdown(self) -> None:
            answers.wait(10)

    began = time.monotonic()
    with collector() as told, traces.exporting(on(told.url), "edge"):
        assert traces._exporter is not None
        monkeypatch.setattr(traces._exporter, "shutdown", Stuck().shutdown)
    assert time.monotonic() - began < 5
    answers.set()
    assert not traces.is_on()
