"""`ports.telemetry.Telemetry` with Prometheus metrics and OpenTelemetry spans."""

import logging
from collections.abc import Iterable
from datetime import datetime

from waypost.adapters.metrics import Metrics
from waypost.adapters.tracing import NoTracer, Tracer
from waypost.engine.state.decision import Decision, Traces
from waypost.engine.state.observed import Observed
from waypost.kube.trace_ids import trace_id
from waypost.telemetry import memory, spans
from waypost.telemetry.agent_spans import agent_spans, provider_type
from waypost.telemetry.calls import model_calls
from waypost.telemetry.content import ContentPolicy
from waypost.telemetry.endings import AttemptEnded, Ended
from waypost.telemetry.pulls import pull_span

logger = logging.getLogger(__name__)


class OperatorTelemetry:
    """Updates metrics and emits spans. A failure is only logged: it must not fail a pass."""

    def __init__(self, *, metrics: Metrics, tracer: Tracer, content: ContentPolicy = "Off") -> None:
        self._metrics = metrics
        self._tracer = tracer
        self._content: ContentPolicy = content
        self._traced = not isinstance(tracer, NoTracer)

    def checkpoint(self, observed: Observed, decision: Decision) -> None:
        before, after, items = observed.status, decision.status, decision.ended_items
        try:
            found = (
                *spans.with_callers(spans.ended(observed, before, after, items), decision.callers),
                *spans.escalated(decision.escalated),
                *memory.written(after, decision.entries_stored),
            )
            self._count(observed, found, decision.traces)
            self._emit(observed, found, decision.traces)
        except Exception:
            subject = {"run": observed.name, "namespace": observed.namespace}
            logger.exception("telemetry of a checkpoint was lost", extra=subject)

    def recovered(self, observed: Observed, traces: Traces, *, since: datetime) -> None:
        try:
            self._emit(observed, spans.ended_since(observed, since), traces)
        except Exception:
            subject = {"run": observed.name, "namespace": observed.namespace}
            logger.exception("spans were not exported again", extra=subject)

    def _count(self, observed: Observed, found: Iterable[Ended], traces: Traces) -> None:
        shown = trace_id(observed.uid) if self._traced else ""
        for fact in found:
            self._metrics.ended(fact, trace_id=shown)
            trace = traces.get((fact.path, fact.number)) if isinstance(fact, AttemptEnded) else None
            for call in model_calls(trace) if trace is not None else ():
                self._metrics.model_called(call, trace_id=shown)

    def _emit(self, observed: Observed, found: Iterable[Ended], traces: Traces) -> None:
        """Emit parents before children: if a crash loses the rest, it leaves no orphans."""
        for fact in found if self._traced else ():
            self._tracer.emit(spans.span(observed, fact))
            if (pull := pull_span(observed, fact)) is not None:
                self._tracer.emit(pull)
            self._agent_spans(observed, fact, traces)

    def _agent_spans(self, observed: Observed, fact: Ended, traces: Traces) -> None:
        trace = traces.get((fact.path, fact.number)) if isinstance(fact, AttemptEnded) else None
        if isinstance(fact, AttemptEnded) and trace is not None:
            provider = provider_type(observed, fact)
            for span in agent_spans(
                observed, fact, trace, provider=provider, content=self._content
            ):
                self._tracer.emit(span)

    def reconciled(self, *, seconds: float, outcome: str) -> None:
        self._metrics.reconcile_seconds.labels(outcome=outcome).observe(seconds)

    def queue(self, *, depth: int, oldest_seconds: float) -> None:
        self._metrics.queue_depth.set(depth)
        self._metrics.queue_oldest.set(oldest_seconds)

    def api_request(self, *, verb: str, resource: str, code: str, seconds: float) -> None:
        self._metrics.api_request(verb=verb, resource=resource, code=code, seconds=seconds)

    def swept(self, *, what: str, count: int) -> None:
        self._metrics.swept_objects(what=what, count=count)

    def refused(self, *, reason: str) -> None:
        self._metrics.refused_result(reason=reason)

    def log_kept(self, *, outcome: str) -> None:
        self._metrics.kept_logs.labels(outcome=outcome).inc()
