"""Prometheus metrics, in a separate registry. docs/metrics.md describes each one.

Labels are bounded: kinds, outcomes, reasons, verbs. Names of objects are no labels: thousands of
runs a day would each leave a time series.
"""

import platform
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from waypost import __version__
from waypost.api.kinds.table import kinds_with_pod
from waypost.api.meta import ConditionReason
from waypost.api.state.usage import Usage
from waypost.protocol.reasons import Reason
from waypost.telemetry.calls import ModelCall
from waypost.telemetry.endings import ApprovalEnded, AttemptEnded, Ended, RunEnded
from waypost.telemetry.signals import Signals

_FAST: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_POD: Final = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_CALL: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_RUN: Final = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400, 7 * 86400)
_HUMAN: Final = (60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400, 3 * 86400, 7 * 86400)

# More values of one label than any of our vocabularies has: then data is passed as a label.
_MAX_VALUES: Final = 64
OTHER: Final = "Other"


def exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The metrics of a registry as text, and the content type.

    Args:
        registry: What is exposed.
        accept: The header Accept of the request. Only OpenMetrics has exemplars; "" gives the text
            format of Prometheus.
    """
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def exemplar(trace_id: str) -> dict[str, str] | None:
    """The labels of an exemplar; None without a trace."""
    return {"trace_id": trace_id} if trace_id else None


class Bounded:
    """Passes the first `limit` values of a label, and replaces all others by Other."""

    def __init__(self, *, limit: int = _MAX_VALUES) -> None:
        self._seen: set[str] = set()
        self._limit = limit

    def __call__(self, value: str) -> str:
        if value not in self._seen and len(self._seen) >= self._limit:
            return OTHER
        self._seen.add(value)
        return value


class Metrics:
    """All metrics of the operator, and the methods that change them."""

    def __init__(self) -> None:
        # Otherwise each counter has a second series, `_created`.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._bounded = {name: Bounded() for name in ("outcome", "resource", "what", "reason")}
        self._define_work()
        self._define_operator()
        self._begin_at_zero()
        ProcessCollector(registry=self.registry)
        info = self._gauge("build_info", "Always 1; the labels say what runs.", "version", "python")
        info.labels(version=__version__, python=platform.python_version()).set(1)

    def _define_work(self) -> None:
        self.runs = self._counter("runs_total", "Runs that ended.", "outcome")
        self.compensation = self._counter(
            "compensation_total", "Rounds whose compensations ended.", "outcome"
        )
        self.finally_ = self._counter("finally_total", "Rounds whose finally ended.", "outcome")
        self.runs_active = self._gauge("runs_active", "Runs that are not finished.")
        self.slots_held = self._gauge("slots_held", "Slots of concurrency that runs hold.")
        self.slots_waiting = self._gauge("slots_waiting", "Executions that wait for a slot.")
        self.slots_oldest = self._gauge(
            "slots_oldest_seconds", "Age of the oldest run that waits for a slot."
        )
        self.runs_set_aside = self._gauge(
            "runs_set_aside", "Runs that this operator cannot serve.", "reason"
        )
        self.run_seconds = self._histogram(
            "run_duration_seconds", "From acceptance of a run to its end.", _RUN, "outcome"
        )
        self.attempts = self._counter(
            "node_attempts_total", "Attempts of nodes that ended.", "kind", "outcome"
        )
        self.node_queue_seconds = self._histogram(
            "node_queue_seconds", "From launch to start of an attempt's container.", _POD, "kind"
        )
        self.node_seconds = self._histogram(
            "node_duration_seconds",
            "From start of an attempt's container to its end.",
            _POD,
            "kind",
        )
        self.runs_stalled = self._gauge("runs_stalled", "Runs that need a person to continue.")
        self.approvals_open = self._gauge("approvals_open", "Approvals that runs wait for.")
        self.approvals_oldest = self._gauge(
            "approval_oldest_seconds", "Age of the open approval that waits longest."
        )
        self._define_models()
        self.approvals = self._counter("approvals_total", "Approvals that closed.", "outcome")
        self.approval_seconds = self._histogram(
            "approval_wait_seconds", "From opening of an approval to its end.", _HUMAN, "outcome"
        )
        self.swept = self._counter(
            "swept_total", "Objects that no run names, removed or released by the sweep.", "what"
        )
        self.kept_logs = self._counter("kept_logs_total", "Logs of pods that ended.", "outcome")
        self.refused = self._counter(
            "results_refused_total", "Results that were not taken.", "reason"
        )

    def _define_models(self) -> None:
        self.model_calls = self._counter("model_calls_total", "Responses of models to agents.")
        self.model_tokens = self._counter(
            "model_tokens_total", "Tokens of attempts that ended.", "direction"
        )
        self.model_cost = self._counter(
            "model_cost_usd_total", "Cost of attempts that ended, in US dollars."
        )
        self.tool_calls = self._counter("tool_calls_total", "Tool calls of agents.")
        self.model_call_seconds = self._histogram(
            "model_call_seconds",
            "From a call of a model to the end of its answer.",
            _CALL,
            "outcome",
        )
        self.model_first_byte_seconds = self._histogram(
            "model_first_byte_seconds",
            "From a call of a model to the first byte of its answer.",
            _CALL,
        )

    def _define_operator(self) -> None:
        self.queue_depth = self._gauge("queue_depth", "Runs that wait for a worker.")
        self.queue_oldest = self._gauge(
            "queue_oldest_seconds", "Age of the run that waits longest for a worker."
        )
        self.writes_waiting = self._gauge(
            "writes_waiting", "Writes that wait for the rate limit of this process."
        )
        self.namespaces_refused = self._gauge(
            "namespaces_refused", "Namespaces that the API server does not let this process list."
        )
        self.leader = self._gauge("leader", "Whether this process is the one that works.")
        self.reconcile_seconds = self._histogram(
            "reconcile_seconds", "One pass over one run.", _FAST, "outcome"
        )
        self.api_requests = self._counter(
            "api_requests_total", "Requests to the API server.", "verb", "resource", "code"
        )
        self.api_seconds = self._histogram(
            "api_request_seconds",
            "Latency of requests to the API server.",
            _FAST,
            "verb",
            "resource",
        )

    def _begin_at_zero(self) -> None:
        """Create the series whose first event an alert must notice: Prometheus sees no increase
        when a series appears with the value 1."""
        self.reconcile_seconds.labels(outcome="bug")
        self.compensation.labels(outcome=ConditionReason.COMPENSATION_FAILED)
        self.finally_.labels(outcome=ConditionReason.FINALLY_FAILED)
        for kind in kinds_with_pod():
            for reason in (Reason.RESULT_LOST, Reason.BUDGET_EXCEEDED):
                self.attempts.labels(kind=kind, outcome=str(reason))

    def ended(self, fact: Ended, *, trace_id: str = "") -> None:
        """Count something that a checkpoint recorded as ended. `trace_id`: of the trace of its run,
        for the exemplars of durations; "" if no traces are sent."""
        if isinstance(fact, AttemptEnded):
            self._attempt_ended(fact, trace_id=trace_id)
            return
        outcome = self._bounded["outcome"](fact.outcome)
        if isinstance(fact, RunEnded):
            self.runs.labels(outcome=outcome).inc()
            self.run_seconds.labels(outcome=outcome).observe(
                _between(fact.started, fact.finished), exemplar(trace_id)
            )
            if fact.compensation:
                bounded = self._bounded["outcome"](fact.compensation)
                self.compensation.labels(outcome=bounded).inc()
            if fact.finally_:
                self.finally_.labels(outcome=self._bounded["outcome"](fact.finally_)).inc()
        elif isinstance(fact, ApprovalEnded):
            self.approvals.labels(outcome=outcome).inc()
            seconds = _between(fact.opened, fact.finished)
            self.approval_seconds.labels(outcome=outcome).observe(seconds)

    def model_called(self, call: ModelCall, *, trace_id: str = "") -> None:
        """Count how long a call of a model took; `trace_id` as of `ended`."""
        outcome = self._bounded["outcome"](call.outcome)
        self.model_call_seconds.labels(outcome=outcome).observe(call.seconds, exemplar(trace_id))
        if call.first_byte_seconds is not None:
            self.model_first_byte_seconds.observe(call.first_byte_seconds, exemplar(trace_id))

    def _attempt_ended(self, fact: AttemptEnded, *, trace_id: str) -> None:
        outcome = self._bounded["outcome"](fact.outcome)
        self.attempts.labels(kind=fact.kind, outcome=outcome).inc()
        if fact.usage is not None:
            self._used(fact.usage)
        if fact.started is None:
            return
        queued = _between(fact.launched, fact.started)
        ran, shown = _between(fact.started, fact.finished), exemplar(trace_id)
        self.node_queue_seconds.labels(kind=fact.kind).observe(queued, shown)
        self.node_seconds.labels(kind=fact.kind).observe(ran, shown)

    def _used(self, usage: Usage) -> None:
        self.model_calls.inc(usage.model_calls or 0)
        self.tool_calls.inc(usage.tool_calls or 0)
        cached = usage.cached_tokens or 0
        directions = {
            "input": max((usage.input_tokens or 0) - cached, 0),
            "cached": cached,
            "output": usage.output_tokens or 0,
        }
        for direction, tokens in directions.items():
            self.model_tokens.labels(direction=direction).inc(tokens)
        self.model_cost.inc(float(usage.cost_usd or 0))

    def api_request(self, *, verb: str, resource: str, code: str, seconds: float) -> None:
        """Count one request."""
        resource = self._bounded["resource"](resource)
        self.api_requests.labels(verb=verb, resource=resource, code=code).inc()
        self.api_seconds.labels(verb=verb, resource=resource).observe(seconds)

    def swept_objects(self, *, what: str, count: int) -> None:
        """Count objects that the sweep deleted."""
        self.swept.labels(what=self._bounded["what"](what)).inc(count)

    def refused_result(self, *, reason: str) -> None:
        """Count a result that was not accepted."""
        self.refused.labels(reason=self._bounded["reason"](reason)).inc()

    def follow_active_runs(self, count: Callable[[], int]) -> None:
        """Call `count` for the number of unfinished runs at each scrape."""
        self.runs_active.set_function(lambda: float(count()))

    def follow_signals(
        self, look: Callable[[], Iterable[Signals]], now: Callable[[], datetime]
    ) -> None:
        """Call `look` for what runs wait for at each scrape."""

        def oldest() -> float:
            opened = min((time for one in look() for time in one.asked), default=None)
            return _between(opened, now()) if opened is not None else 0.0

        self.runs_stalled.set_function(lambda: float(sum(one.stalled for one in look())))
        self.approvals_open.set_function(lambda: float(sum(len(one.asked) for one in look())))
        self.approvals_oldest.set_function(oldest)

    def follow_slots(
        self,
        *,
        held: Callable[[], int],
        waiting: Callable[[], int],
        oldest: Callable[[], datetime | None],
        now: Callable[[], datetime],
    ) -> None:
        """Call these for the numbers of slots at each scrape. `oldest`: when the oldest run that
        waits for one was created."""

        def age() -> float:
            created = oldest()
            return _between(created, now()) if created is not None else 0.0

        self.slots_held.set_function(lambda: float(held()))
        self.slots_waiting.set_function(lambda: float(waiting()))
        self.slots_oldest.set_function(age)

    def follow_writes(self, waiting: Callable[[], int]) -> None:
        """Call `waiting` for the number of writes that wait at each scrape."""
        self.writes_waiting.set_function(lambda: float(waiting()))

    def follow_set_aside(self, reasons: Iterable[str], count: Callable[[str], int]) -> None:
        """Take the number of runs that are set aside for each reason at each scrape."""
        for reason in reasons:
            gauge = self.runs_set_aside.labels(reason=reason)
            gauge.set_function(partial(count, reason))

    def follow_refused_namespaces(self, count: Callable[[], int]) -> None:
        """Call `count` for the number of refused namespaces at each scrape."""
        self.namespaces_refused.set_function(lambda: float(count()))

    def follow_leader(self, leading: Callable[[], bool]) -> None:
        """Call `leading` at each scrape."""
        self.leader.set_function(lambda: float(leading()))

    def follow_queue(self, *, depth: Callable[[], int], oldest: Callable[[], float]) -> None:
        """Call `depth` and `oldest` at each scrape, for a stuck queue reports nothing itself."""
        self.queue_depth.set_function(lambda: float(depth()))
        self.queue_oldest.set_function(oldest)

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics as text, and its content type; `accept` is the header of the request."""
        return exposition(self.registry, accept)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"waypost_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"waypost_{name}", text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"waypost_{name}", text, labels, registry=self.registry, buckets=buckets)


def _between(start: datetime, end: datetime) -> float:
    """Seconds, never negative: the clocks of two processes differ, and a sum must not fall."""
    return max((end - start).total_seconds(), 0.0)
