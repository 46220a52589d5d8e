"""What a collector is sent, by whose sampler, and what is told when it is away."""

from typing import TYPE_CHECKING, cast

import pytest
import structlog
from livegate import traces
from livegate.settings import Sampler, TraceSettings

from tests.support.collector import collector
from tests.support.processes import free_port

if TYPE_CHECKING:
    from livegate.otlp import Otlp

SESSION = bytes(range(1, 17))
LOW = SESSION[:8] + bytes([0x10]) + bytes(7)
HIGH = SESSION[:8] + bytes([0xF0]) + bytes(7)
"""The last half of a trace id is what a ratio decides by."""


@pytest.mark.parametrize(
    ("sampler", "share", "low", "high"),
    [
        ("always_on", 1, "01", "01"),
        ("always_off", 1, "00", "00"),
        ("parentbased_always_on", 1, "01", "01"),
        ("parentbased_always_off", 1, "00", "00"),
        ("traceidratio", 0.5, "01", "00"),
        ("parentbased_traceidratio", 0.5, "01", "00"),
    ],
)
def test_each_process_samples_a_session_alike(
    sampler: Sampler, share: float, low: str, high: str
) -> None:
    with collector() as told:
        settings = TraceSettings(
            otel_exporter_otlp_endpoint=told.url,
            otel_traces_sampler=sampler,
            otel_traces_sampler_arg=share,
        )
        with traces.exporting(settings, "edge"):
            for session, flag in ((LOW, low), (HIGH, high)):
                parent = traces.of_session(session)
                assert parent.endswith(f"-{flag}")
                traces.begin("upstream", parent).end()
                traces.session(session, 1.0).end()
    sampled = {s.hex() for s, flag in ((LOW, low), (HIGH, high)) if flag == "01"}
    for name in ("session", "upstream"):
        assert {span.trace for span in told.named(name)} == sampled


@pytest.mark.parametrize("wrong", ["x", "00-" + "0" * 32 + "-" + "1" * 16 + "-01", "00-ab-cd-01"])
def test_a_parent_that_is_none_begins_a_trace(wrong: str) -> None:
    with collector() as told:
        settings = TraceSettings(otel_exporter_otlp_endpoint=told.url + "/", otel_service_name="s")
        with traces.exporting(settings, "edge"):
            span = traces.begin("token", wrong)
            span.end()
            span.end()
    [only] = told.spans
    assert (only.parent, only.service) == ("", "s")
    assert span.traceparent == f"00-{only.trace}-{only.id}-01"


def test_a_collector_that_is_away_is_told_of_once_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    away = TraceSettings(otel_exporter_otlp_endpoint=f"http://127.0.0.1:{free_port()}")
    with structlog.testing.capture_logs() as lines, traces.exporting(away, "edge"):
        for _ in range(3):
            traces.begin("turn").end()
            cast("Otlp", traces._exporter)._provider.force_flush()
    assert [line["event"] for line in lines] == ["traces are on", "spans are not exported"]
