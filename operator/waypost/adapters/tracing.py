"""Exports finished spans over OTLP, with their given ids and times.

The SDK's tracer would create ids and read the clock itself. So spans are encoded here, and passed
directly to its batch processor. That never blocks: while the collector cannot be reached, the batch
fills and the oldest spans are dropped.
"""

import logging
import threading
from functools import partial
from typing import Protocol

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

from waypost import __version__
from waypost.adapters.otlp.encoding import span_bytes
from waypost.adapters.otlp.sending import EncodedSpan, Exporter
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
        # The SDK batches spans that are sampled.
        context = SpanContext(1, 1, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        resource = Resource.create({"service.name": service_name, "service.version": __version__})
        scope = InstrumentationScope("waypost", __version__, self._version.schema_url)
        self._made = partial(
            EncodedSpan, context=context, resource=resource, instrumentation_scope=scope
        )

    def emit(self, fact: SpanFact) -> None:
        self._processor.on_end(self._made(span_bytes(fact, self._version.renamed)))

    def close(self) -> None:
        """Send what is left, for at most SHUTDOWN_SECONDS."""
        thread = threading.Thread(target=self._processor.shutdown, daemon=True)
        thread.start()
        thread.join(SHUTDOWN_SECONDS)
        if thread.is_alive():
            logger.warning("the trace collector does not respond: spans were dropped")


def otlp_tracer(*, endpoint: str, conventions: VersionName = "1.41") -> Tracer:
    """A tracer that sends to a collector.

    The exporter itself reads the other standard variables (headers, certificate, timeout).

    Args:
        endpoint: Base URL, as in OTEL_EXPORTER_OTLP_ENDPOINT.
        conventions: The version of the semantic conventions.
    """
    exporter = Exporter(f"{endpoint.rstrip('/')}/v1/traces")
    return OtlpTracer(exporter=exporter, conventions=conventions)
