"""Exports finished spans over OTLP, with their given ids and times.

The SDK's tracer would create ids and read the clock itself. So spans are passed directly to its
batch processor. That never blocks: while the collector cannot be reached, the batch fills and the
oldest spans are dropped.
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
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from waypost import __version__
from waypost.telemetry.spans import SpanFact
from waypost.telemetry.versions import VERSIONS, VersionName

SHUTDOWN_SECONDS = 2.0
BATCH_MILLISECONDS = 1000

logger = logging.getLogger(__name__)


class Tracer(Protocol):
    """Exports finished spans. Implementations never raise and never block."""

    def emit(self, fact: SpanFact) -> None:
        """Export one span, possibly later."""
        ...

    def close(self) -> None:
        """Export what is left, for a few seconds at most."""
        ...


class NoTracer:
    """Used when no collector is configured."""

    def emit(self, fact: SpanFact) -> None:
        return None

    def close(self) -> None:
        return None


class OtlpTracer:
    """Sends spans in batches from a separate thread."""

    def __init__(
        self,
        *,
        exporter: SpanExporter,
        service_name: str = "waypost",
        conventions: VersionName = "1.41",
    ) -> None:
        self._version = VERSIONS[conventions]
        # A process that is killed loses what waits for its batch.
        self._processor = BatchSpanProcessor(exporter, schedule_delay_millis=BATCH_MILLISECONDS)
        self._resource = Resource.create(
            {"service.name": service_name, "service.version": __version__}
        )
        self._scope = InstrumentationScope("waypost", __version__, self._version.schema_url)

    def emit(self, fact: SpanFact) -> None:
        self._processor.on_end(self._readable(fact))

    def close(self) -> None:
        """Send what is left, for at most SHUTDOWN_SECONDS."""
        thread = threading.Thread(target=self._processor.shutdown, daemon=True)
        thread.start()
        thread.join(SHUTDOWN_SECONDS)
        if thread.is_alive():
            logger.warning("the trace collector does not respond: spans were dropped")

    def _readable(self, fact: SpanFact) -> ReadableSpan:
        context = _context(fact.trace_id, fact.span_id)
        parent = _context(fact.trace_id, fact.parent_id) if fact.parent_id else None
        status = Status(StatusCode.ERROR, fact.error) if fact.error else Status(StatusCode.UNSET)
        return ReadableSpan(
            name=fact.name,
            context=context,
            parent=parent,
            resource=self._resource,
            attributes=self._version.attributes(fact.attributes),
            events=[
                Event(event.name, dict(event.attributes), _nanoseconds(event.time))
                for event in fact.events
            ],
            links=[Link(_context(*link, remote=True)) for link in fact.links],
            kind=SpanKind.CLIENT if fact.remote else SpanKind.INTERNAL,
            status=status,
            start_time=_nanoseconds(fact.start),
            end_time=_nanoseconds(fact.end),
            instrumentation_scope=self._scope,
        )


def otlp_tracer(*, endpoint: str, conventions: VersionName = "1.41") -> Tracer:
    """A tracer that sends to a collector.

    The exporter itself reads the other standard variables (headers, certificate, timeout).

    Args:
        endpoint: Base URL, as in OTEL_EXPORTER_OTLP_ENDPOINT.
        conventions: The version of the semantic conventions.
    """
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    return OtlpTracer(exporter=exporter, conventions=conventions)


def _context(trace_id: str, span_id: str, *, remote: bool = False) -> SpanContext:
    return SpanContext(
        trace_id=int(trace_id, 16),
        span_id=int(span_id, 16),
        is_remote=remote,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _nanoseconds(moment: datetime) -> int:
    # Not `timestamp() * 1e9`: a float of that size is precise to a quarter of a microsecond only.
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
