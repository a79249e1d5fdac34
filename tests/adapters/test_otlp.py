"""The bytes of spans are those of the SDK's encoder, and batches go over one connection."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode
from waypost.adapters.otlp.encoding import nanoseconds, request, span_bytes
from waypost.adapters.otlp.sending import EncodedSpan, Exporter, is_direct
from waypost.telemetry.spans import SpanEvent, SpanFact

from tests.adapters.test_tracing import FACT

SCOPE = InstrumentationScope("waypost", "1.2", "https://opentelemetry.io/schemas/1.41.0")
RESOURCE = Resource({"service.name": "waypost", "process.pid": 7}, "https://example.com/schema")


def context(trace: str, span: str, *, remote: bool = False) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int(trace, 16), int(span, 16), is_remote=remote, trace_flags=flags)


def of_the_sdk(fact: SpanFact) -> ReadableSpan:
    """The span as the SDK has it, for its encoder."""
    events = [Event(one.name, dict(one.attributes), nanoseconds(one.time)) for one in fact.events]
    return ReadableSpan(
        name=fact.name,
        context=context(fact.trace_id, fact.span_id),
        parent=context(fact.trace_id, fact.parent_id) if fact.parent_id else None,
        resource=RESOURCE,
        attributes=fact.attributes,
        events=events,
        links=[Link(context(*link, remote=True)) for link in fact.links],
        kind=SpanKind.CLIENT if fact.remote else SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR, fact.error) if fact.error else Status(StatusCode.UNSET),
        start_time=nanoseconds(fact.start),
        end_time=nanoseconds(fact.end),
        instrumentation_scope=SCOPE,
    )


def read(*facts: SpanFact) -> ExportTraceServiceRequest:
    scope = (SCOPE.name, SCOPE.version or "", SCOPE.schema_url or "")
    found = request(RESOURCE, scope, [span_bytes(fact, {}) for fact in facts])
    return parsed(found)


def parsed(body: bytes) -> ExportTraceServiceRequest:
    made = ExportTraceServiceRequest()
    made.ParseFromString(body)
    return made


def having(**attributes: Any) -> SpanFact:
    return replace(FACT, attributes=attributes)


SPANS = {
    "all-parts": FACT,
    "a-root": replace(FACT, parent_id="", remote=False, error="", events=(), links=()),
    "no-attributes": having(),
    "numbers": having(zero=0, small=1, two_bytes=300, large=2**53, least=-(2**63), less=-1),
    "reals": having(a=0.5, b=-1.25, c=float("inf"), whole=2.0),
    "truth": having(yes=True, no=False, one=1, none=0),
    "texts": having(empty="", umlaut="fünf", long="x" * 200, longer="x" * 201, huge="x" * 70_000),
    "lists": having(texts=("a", ""), numbers=(1, -1), empty=(), mixed=(True, 1.5)),
    "ids-with-zeros": replace(FACT, trace_id="0" * 31 + "1", span_id="00000000000000ff"),
    "a-long-name": replace(FACT, name="node " + "n" * 300),
    "events": replace(
        FACT, events=tuple(SpanEvent(f"e{at}", FACT.end, {"n": at}) for at in range(3))
    ),
}


@pytest.mark.parametrize("name", SPANS)
def test_the_message_is_that_of_the_sdk(name: str) -> None:
    fact = SPANS[name]
    assert read(fact) == parsed(encode_spans([of_the_sdk(fact)]).SerializeToString())


def test_a_value_is_not_taken_for_an_equal_one_of_another_type() -> None:
    """`1 == True == 1.0`, and what attributes have in common is kept."""
    facts = [having(n=value) for value in (1, True, 1.0, 0, False, 0.0)]
    (resource,) = read(*facts).resource_spans
    kinds = [span.attributes[0].value.WhichOneof("value") for span in resource.scope_spans[0].spans]
    assert kinds == ["int_value", "bool_value", "double_value"] * 2


def test_text_that_is_no_unicode_does_not_lose_the_batch() -> None:
    (resource,) = read(having(text="a\ud800b")).resource_spans
    assert resource.scope_spans[0].spans[0].attributes[0].value.string_value == "a?b"


class Server(ThreadingHTTPServer):
    """A collector that counts connections, and ends each after `lasts` requests without a word."""

    daemon_threads = True

    def __init__(self, lasts: int) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.lasts = lasts
        self.connections: list[int] = []  # requests of each
        self.bodies: list[bytes] = []


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.append(0)

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.connections[-1] += 1
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
        self.close_connection = self.server.connections[-1] == self.server.lasts

    def log_message(self, format: str, *args: object) -> None:
        return None


@contextmanager
def serving(lasts: int) -> Iterator[tuple[Server, Exporter]]:
    server = Server(lasts)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    exporter = Exporter(f"http://127.0.0.1:{server.server_port}/v1/traces")
    try:
        yield server, exporter
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]
        server.shutdown()
        server.server_close()
        thread.join()


def send(exporter: Exporter, name: str) -> SpanExportResult:
    content = span_bytes(replace(FACT, name=name), {})
    made = EncodedSpan(content, resource=RESOURCE, instrumentation_scope=SCOPE)
    return exporter.export([made])


@pytest.mark.parametrize(
    ("lasts", "connections"),
    [pytest.param(100, [4], id="one-connection"), pytest.param(2, [2, 2], id="closed-when-idle")],
)
def test_batches_share_a_connection(lasts: int, connections: list[int]) -> None:
    with serving(lasts) as (server, exporter):
        assert {send(exporter, f"n{at}") for at in range(4)} == {SpanExportResult.SUCCESS}
        names = [parsed(body).resource_spans[0].scope_spans[0].spans[0] for body in server.bodies]
        assert [span.name for span in names] == ["n0", "n1", "n2", "n3"]
        assert server.connections == connections


def test_the_standard_variables_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20abc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    seen: list[dict[str, str]] = []
    monkeypatch.setattr(
        Answers, "log_request", lambda self, *_: seen.append(dict(self.headers.items()))
    )
    with serving(100) as (server, exporter):
        assert send(exporter, "n") is SpanExportResult.SUCCESS
        assert server.bodies[0][:2] == b"\x1f\x8b", "gzip"
    (headers,) = [{name.lower(): value for name, value in one.items()} for one in seen]
    assert headers["authorization"] == "Basic abc"
    assert headers["content-type"] == "application/x-protobuf"
    assert headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("url", "proxy", "without", "direct"),
    [
        pytest.param("http://otel:4318/v1/traces", "", "", True, id="http"),
        pytest.param("https://otel/v1/traces", "", "", False, id="tls"),
        pytest.param("http://otel:4318/v1/traces", "http://proxy:1", "", False, id="proxy"),
        pytest.param("http://otel:4318/v1/traces", "http://proxy:1", "otel", True, id="no-proxy"),
    ],
)
def test_when_the_sdk_sends(
    url: str, proxy: str, without: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("http_proxy", proxy), ("no_proxy", without)):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv(name, value)
    assert is_direct(url) is direct
