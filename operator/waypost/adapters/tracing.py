"""Spans over OTLP, with the ids and times the engine gave them.

The SDK's tracer makes ids and takes times itself; spans here were over before they are made, so
they are handed to its batch processor directly. That never blocks: when the collector is away,
the batch fills and the oldest spans are dropped.
"""

import logging
import threading
from datetime import datetime
from typing import Protocol

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from waypost import __version__
from waypost.telemetry.spans import SpanFact

# The conventions our attributes are written to; backends translate from it.
SCHEMA_URL = "https://opentelemetry.io/schemas/1.38.0"
SHUTDOWN_SECONDS = 2.0

logger = logging.getLogger(__name__)


class Tracer(Protocol):
    """Takes finished spans. Never raises, never blocks."""

    def emit(self, fact: SpanFact) -> None: ...

    def close(self) -> None: ...


class NoTracer:
    """Used when no collector is configured."""

    def emit(self, fact: SpanFact) -> None:
        return None

    def close(self) -> None:
        return None


class OtlpTracer:
    """Sends spans in batches from a thread of its own."""

    def __init__(self, *, exporter: SpanExporter, service_name: str = "waypost") -> None:
        self._processor = BatchSpanProcessor(exporter)
        self._resource = Resource.create(
            {"service.name": service_name, "service.version": __version__}
        )
        self._scope = InstrumentationScope("waypost", __version__, SCHEMA_URL)

    def emit(self, fact: SpanFact) -> None:
        self._processor.on_end(self._readable(fact))

    def close(self) -> None:
        """Send what is left, for a bounded time: a collector that is away must not hold us."""
        thread = threading.Thread(target=self._processor.shutdown, daemon=True)
        thread.start()
        thread.join(SHUTDOWN_SECONDS)
        if thread.is_alive():
            logger.warning("the trace collector does not answer: spans were dropped")

    def _readable(self, fact: SpanFact) -> ReadableSpan:
        context = _context(fact.trace_id, fact.span_id)
        parent = _context(fact.trace_id, fact.parent_id) if fact.parent_id else None
        status = Status(StatusCode.ERROR, fact.error) if fact.error else Status(StatusCode.UNSET)
        return ReadableSpan(
            name=fact.name,
            context=context,
            parent=parent,
            resource=self._resource,
            attributes=dict(fact.attributes),
            events=[
                Event(event.name, dict(event.attributes), _nanoseconds(event.time))
                for event in fact.events
            ],
            kind=SpanKind.CLIENT if fact.remote else SpanKind.INTERNAL,
            status=status,
            start_time=_nanoseconds(fact.start),
            end_time=_nanoseconds(fact.end),
            instrumentation_scope=self._scope,
        )


def otlp_tracer(*, endpoint: str) -> Tracer:
    """A tracer for a collector's base URL, as in OTEL_EXPORTER_OTLP_ENDPOINT. The other standard
    variables (headers, certificate, timeout) are read by the exporter itself."""
    return OtlpTracer(exporter=OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(
        trace_id=int(trace_id, 16),
        span_id=int(span_id, 16),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _nanoseconds(moment: datetime) -> int:
    # Through microseconds: a float holds nanoseconds since 1970 only to a quarter of one micro.
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
