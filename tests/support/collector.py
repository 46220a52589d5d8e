"""An OTLP collector on loopback, which only keeps the spans that it is sent."""

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@dataclass(frozen=True)
class Span:
    """One span, ids in hex; `parent` is empty for a root. Attributes without `livegate.`."""

    service: str
    instance: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: Mapping[str, object]
    error: str
    began_ns: int
    ended_ns: int


class Collector:
    """`url` is for OTEL_EXPORTER_OTLP_ENDPOINT; `raw` all that was sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.raw = b""
        self.headers: list[dict[str, str]] = []
        self.spans: list[Span] = []

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """One request."""
        assert path == "/v1/traces"
        self.raw += body
        self.headers.append({name.lower(): value for name, value in headers.items()})
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            of = _read(resource.resource.attributes)
            self.spans += [
                Span(
                    str(of["service.name"]),
                    str(of.get("service.instance.id", "")),
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    _read(span.attributes),
                    span.status.message if span.status.code else "",
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                )
                for scope in resource.scope_spans
                for span in scope.spans
            ]

    def named(self, name: str, trace: str = "") -> list[Span]:
        """Spans of that name, in the order of their beginning."""
        found = [s for s in self.spans if s.name == name and s.trace.startswith(trace)]
        return sorted(found, key=lambda span: span.began_ns)

    def tree(self, trace: str) -> str:
        """A trace for people."""
        spans = sorted((s for s in self.spans if s.trace == trace), key=lambda span: span.began_ns)
        known = {span.id for span in spans}

        def lines(parent: str, depth: int) -> Iterator[str]:
            for span in spans:
                if span.parent == parent or (depth == 0 and span.parent not in known):
                    more = " ".join(f"{k}={v}" for k, v in sorted(span.attributes.items()))
                    took_ms = (span.ended_ns - span.began_ns) / 1e6
                    error = f" ERROR {span.error}" if span.error else ""
                    who = f"{took_ms:.0f} ms [{span.service}]{error}"
                    yield f"{'  ' * depth}{span.name} {who} {more}"
                    yield from lines(span.id, depth + 1)

        return "\n".join(lines("", 0))


def _read(attributes: Iterable[KeyValue]) -> dict[str, object]:
    return {
        pair.key.removeprefix("livegate."): getattr(pair.value, str(pair.value.WhichOneof("value")))
        for pair in attributes
    }


@contextlib.contextmanager
def collector() -> Iterator[Collector]:
    """Serve in a thread until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            here.take(self.path, dict(self.headers), body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002, its own name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        here = Collector(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield here
        finally:
            server.shutdown()
