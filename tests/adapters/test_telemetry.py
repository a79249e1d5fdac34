"""The telemetry port: a checkpoint moves metrics and spans, and nothing it does is fatal."""

import logging
from typing import Any, cast

import pytest
from waypost.adapters.metrics import Metrics
from waypost.adapters.telemetry import OperatorTelemetry
from waypost.adapters.tracing import NoTracer
from waypost.engine.state.decision import Decision
from waypost.engine.state.observed import Observed
from waypost.kube.trace_ids import trace_id
from waypost.ports.telemetry import Telemetry
from waypost.protocol.work import Trace
from waypost.telemetry.content import ContentPolicy
from waypost.telemetry.spans import SpanFact

from tests.unit.telemetry.test_spans import at, attempt, observed, status, work

BEFORE = status(work(attempt(1)))
AFTER = status(work(attempt(1, reason="Timeout"), attempt(2)))


def before(**changes: Any) -> Observed:
    return observed(status=BEFORE, **changes)


class NotedTracer:
    def __init__(self, error: Exception | None = None) -> None:
        self.emitted: list[SpanFact] = []
        self._error = error

    def emit(self, fact: SpanFact) -> None:
        if self._error:
            raise self._error
        self.emitted.append(fact)

    def close(self) -> None:
        return None


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_checkpoint_is_counted_and_traced() -> None:
    metrics, tracer = Metrics(), NotedTracer()
    telemetry: Telemetry = OperatorTelemetry(metrics=metrics, tracer=tracer)
    telemetry.checkpoint(before(), Decision(status=AFTER))
    assert [span.name for span in tracer.emitted] == ["node work"]
    name = "waypost_node_attempts_total"
    assert value(metrics, name, kind="container", outcome="Timeout") == 1


def test_attempts_of_items_are_counted_and_traced() -> None:
    metrics, tracer = Metrics(), NotedTracer()
    telemetry = OperatorTelemetry(metrics=metrics, tracer=tracer)
    item = status({**work(attempt(2, reason="NodeError")), "path": "work/3"}).nodes[0]
    telemetry.checkpoint(before(), Decision(status=BEFORE, ended_items=(item,)))
    assert [span.name for span in tracer.emitted] == ["node work/3"]
    name = "waypost_node_attempts_total"
    assert value(metrics, name, kind="container", outcome="NodeError") == 1


@pytest.mark.parametrize("traced", [True, False], ids=["traced", "not-traced"])
def test_s795_exemplars_only_if_spans_are_sent(traced: bool) -> None:
    metrics, tracer = Metrics(), NotedTracer() if traced else NoTracer()
    telemetry = OperatorTelemetry(metrics=metrics, tracer=tracer)
    made = Trace()
    made.add("model", start=at(0), end=at(3), model="m")
    ended = status(work(attempt(1, reason="Succeeded")))
    telemetry.checkpoint(before(), Decision(status=ended, traces={("work", 1): made}))
    assert value(metrics, "waypost_model_call_seconds_sum", outcome="Answered") == 3
    text = metrics.exposition("application/openmetrics-text")[0].decode()
    named = [line for line in text.splitlines() if trace_id("uid-1") in line]
    assert len(named) == (3 if traced else 0)


def test_s791_the_policy_holds_for_spans() -> None:
    made = Trace()
    fields = {"name": "look", "outcome": "ok", "arguments": "hunter2"}
    made.add("tool", start=at(0), end=at(1), **fields)
    ended = status(work(attempt(1, reason="Succeeded")))
    for policy, shown in (("Off", False), ("Digests", False), ("Redacted", True)):
        tracer = NotedTracer()
        telemetry = OperatorTelemetry(
            metrics=Metrics(), tracer=tracer, content=cast(ContentPolicy, policy)
        )
        telemetry.checkpoint(before(), Decision(status=ended, traces={("work", 1): made}))
        assert ("hunter2" in repr(tracer.emitted)) == shown, policy


@pytest.mark.parametrize(
    ("after", "tracer"),
    [
        pytest.param(AFTER, NotedTracer(RuntimeError("no")), id="the-tracer-fails"),
        pytest.param(None, NotedTracer(), id="the-facts-cannot-be-made"),
    ],
)
def test_a_report_that_fails_is_logged_only(
    after: Any, tracer: NotedTracer, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = OperatorTelemetry(metrics=Metrics(), tracer=tracer)
    with caplog.at_level(logging.ERROR):
        telemetry.checkpoint(before(), Decision(status=after))
    (record,) = caplog.records
    assert record.getMessage() == "telemetry of a checkpoint was lost"


def test_the_rest_of_the_port() -> None:
    metrics = Metrics()
    telemetry = OperatorTelemetry(metrics=metrics, tracer=NotedTracer())
    telemetry.reconciled(seconds=0.2, outcome="idle")
    telemetry.queue(depth=4, oldest_seconds=2.0)
    telemetry.api_request(verb="get", resource="pods", code="error", seconds=1.0)
    telemetry.swept(what="jobs", count=3)
    telemetry.refused(reason="digest")
    assert value(metrics, "waypost_reconcile_seconds_count", outcome="idle") == 1
    assert value(metrics, "waypost_queue_depth") == 4
    assert value(metrics, "waypost_queue_oldest_seconds") == 2.0
    requests = "waypost_api_requests_total"
    assert value(metrics, requests, verb="get", resource="pods", code="error") == 1
    assert value(metrics, "waypost_swept_total", what="jobs") == 3
    assert value(metrics, "waypost_results_refused_total", reason="digest") == 1
