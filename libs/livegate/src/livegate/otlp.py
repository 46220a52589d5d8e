"""Spans through the OpenTelemetry SDK to OTLP over HTTP, in batches, from a thread of its own.

Loaded by `livegate.traces` alone. What may be tuned besides has the SDK's own variables
(OTEL_BSP_*, OTEL_EXPORTER_OTLP_TIMEOUT, …_CERTIFICATE, OTEL_RESOURCE_ATTRIBUTES).
"""

import logging
import time
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from livegate import logs, traces
from livegate.settings import TraceSettings

PATH = "/v1/traces"
"""Below the endpoint: https://opentelemetry.io/docs/specs/otel/protocol/exporter/."""

LINES_A_MINUTE = 1

log = logs.get("traces")

_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
}
_propagator = TraceContextTextMapPropagator()


def sampler(settings: TraceSettings) -> Sampler:
    """What OTEL_TRACES_SAMPLER names. A ratio decides by the trace id: the same everywhere."""
    named = settings.otel_traces_sampler
    root: Sampler = ALWAYS_OFF if named.endswith("always_off") else ALWAYS_ON
    if named.endswith("traceidratio"):
        root = TraceIdRatioBased(settings.otel_traces_sampler_arg)
    return ParentBased(root) if named.startswith("parentbased") else root


class _Ids(RandomIdGenerator):
    """Random ids, but for the root of a session's trace."""

    session = b""

    def generate_trace_id(self) -> int:
        if not self.session:
            return super().generate_trace_id()
        return int.from_bytes(self.session)

    def generate_span_id(self) -> int:
        if not self.session:
            return super().generate_span_id()
        session, self.session = self.session, b""
        return int.from_bytes(session[:8])


class _Seldom(logging.Handler):
    """The SDK's complaints, as ours, one a minute."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._seldom = logs.Seldom(LINES_A_MINUTE)

    def emit(self, record: logging.LogRecord) -> None:
        left_out = self._seldom.may(time.monotonic())
        if left_out is not None:
            log.warning("spans are not exported", error=record.getMessage(), left_out=left_out)


class Otlp:
    """A `traces.Exporter`."""

    def __init__(self, settings: TraceSettings, service: str, instance: str) -> None:
        endpoint = settings.otel_exporter_otlp_endpoint.rstrip("/")
        logger = logging.getLogger("opentelemetry")
        logger.handlers[:] = [_Seldom()]
        logger.propagate = False
        attributes = {"service.name": settings.otel_service_name or f"livegate-{service}"}
        if instance:
            attributes["service.instance.id"] = instance
        self._ids = _Ids()
        self._sampler = sampler(settings)
        self._provider = TracerProvider(
            self._sampler,
            Resource.create(attributes),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint + PATH))
        )
        self._tracer = self._provider.get_tracer("livegate")
        log.info(
            "traces are on", host=urlsplit(endpoint).hostname, sampler=settings.otel_traces_sampler
        )

    def begin(
        self, name: str, parent: str, kind: traces.Kind, since: float | None, session: bytes
    ) -> traces.Span:
        """See `traces.Exporter`."""
        context = _propagator.extract({"traceparent": parent} if parent else {})
        self._ids.session = session
        start_ns = None if since is None else int(since * 1e9)
        return _Span(self._tracer.start_span(name, context, _KINDS[kind], start_time=start_ns))

    def parent(self, session: bytes) -> str:
        """See `traces.Exporter`."""
        decision = self._sampler.should_sample(None, int.from_bytes(session), "session").decision
        sampled = int(decision is Decision.RECORD_AND_SAMPLE)
        return f"00-{session.hex()}-{session[:8].hex()}-{sampled:02x}"

    def shutdown(self) -> None:
        """See `traces.Exporter`."""
        self._provider.shutdown()


class _Span(traces.Exported):
    __slots__ = ("_failed", "_span", "traceparent")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._failed = False
        known = span.get_span_context()
        ids = f"{known.trace_id:032x}-{known.span_id:016x}"
        self.traceparent = f"00-{ids}-{int(known.trace_flags.sampled):02x}"

    def put(self, **attributes: traces.Attribute) -> None:
        for name, value in attributes.items():
            if value is not None:
                self._span.set_attribute(f"livegate.{name}", value)

    def fail(self, what: str) -> None:
        if not self._failed:  # the first one knows best
            self._failed = True
            self._span.set_status(Status(StatusCode.ERROR, what))

    def end(self) -> None:
        if self._span.is_recording():
            self._span.end()
