"""Spans as a collector receives them, and a collector that is not there."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from waypost.adapters import tracing
from waypost.adapters.tracing import NoTracer, OtlpTracer, otlp_tracer
from waypost.telemetry.spans import SpanEvent, SpanFact

T0 = datetime(2026, 11, 23, 3, 10, 0, 123456, tzinfo=UTC)
FACT = SpanFact(
    name="node work",
    trace_id="0af7651916cd43dd8448eb211c80319c",
    span_id="b7ad6b7169203331",
    parent_id="00f067aa0ba902b7",
    start=T0,
    end=T0 + timedelta(seconds=2),
    error="NodeError",
    attributes={"waypost.node.attempt": 2, "waypost.node.path": "work"},
    events=(SpanEvent("waypost.reask", T0 + timedelta(seconds=1), {"reasons": ("a", "b")}),),
    remote=True,
    links=(("4bf92f3577b34da6a3ce929d0e0e4736", "53995c3f42cd8ad8"),),
)


class Collector(BaseHTTPRequestHandler):
    received: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces":
            self.received.append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return None


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    received: list[bytes] = []
    handler = type("Bound", (Collector,), {"received": received})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()
    thread.join()


def test_over_the_wire(collector: tuple[str, list[bytes]]) -> None:
    endpoint, received = collector
    tracer = otlp_tracer(endpoint=endpoint)
    tracer.emit(FACT)
    tracer.close()
    (body,) = received
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    (scope,) = resource.scope_spans
    (span,) = scope.spans
    assert span.name == "node work"
    assert span.trace_id.hex() == FACT.trace_id
    assert span.span_id.hex() == FACT.span_id
    assert span.parent_span_id.hex() == FACT.parent_id
    assert span.start_time_unix_nano == 1795403400_123456000
    assert span.end_time_unix_nano - span.start_time_unix_nano == 2_000_000_000
    assert (span.status.code, span.status.message) == (2, "NodeError")
    assert {a.key: a.value.int_value or a.value.string_value for a in span.attributes} == {
        "waypost.node.attempt": 2,
        "waypost.node.path": "work",
    }
    assert span.kind == 3, "client"
    (link,) = span.links
    assert (link.trace_id.hex(), link.span_id.hex()) == FACT.links[0]
    (event,) = span.events
    assert (event.name, event.time_unix_nano) == ("waypost.reask", 1795403401_123456000)
    assert [v.string_value for v in event.attributes[0].value.array_value.values] == ["a", "b"]
    service = {a.key: a.value.string_value for a in resource.resource.attributes}
    assert service["service.name"] == "waypost"
    assert scope.schema_url == "https://opentelemetry.io/schemas/1.41.0"


def test_an_older_version_of_the_conventions(collector: tuple[str, list[bytes]]) -> None:
    """S590"""
    endpoint, received = collector
    tracer = otlp_tracer(endpoint=endpoint, conventions="1.36")
    tracer.emit(replace(FACT, attributes={"gen_ai.provider.name": "openai", "a": 1}))
    tracer.close()
    (resource,) = ExportTraceServiceRequest.FromString(received[0]).resource_spans
    (scope,) = resource.scope_spans
    assert {attribute.key for attribute in scope.spans[0].attributes} == {"gen_ai.system", "a"}
    assert scope.schema_url == "https://opentelemetry.io/schemas/1.36.0"


class Hanging(SpanExporter):
    """A collector that takes the connection and never answers."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.release.wait(3600)
        return SpanExportResult.FAILURE


def test_a_collector_that_hangs_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "SHUTDOWN_SECONDS", 0.3)
    exporter = Hanging()
    tracer = OtlpTracer(exporter=exporter)
    for _ in range(5000):  # more than the batch holds
        tracer.emit(FACT)
    tracer.close()
    exporter.release.set()


def test_no_collector_no_threads() -> None:
    before = threading.active_count()
    tracer = NoTracer()
    tracer.emit(FACT)
    tracer.close()
    assert threading.active_count() == before
