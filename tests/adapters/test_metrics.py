"""Metrics: what moves them, that their labels stay bounded, and that all are documented."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from waypost.adapters.metrics import OTHER, Bounded, Metrics
from waypost.admission.metrics import AdmissionMetrics
from waypost.api.state.usage import Usage
from waypost.archive.metrics import ArchiveMetrics
from waypost.gateway.metrics import GatewayMetrics
from waypost.ingress.metrics import IngressMetrics
from waypost.model_gateway.metrics import ModelMetrics
from waypost.notifier.metrics import NotifierMetrics
from waypost.telemetry.calls import ModelCall
from waypost.telemetry.endings import ApprovalEnded, AttemptEnded, RunEnded
from waypost.telemetry.signals import Signals

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
T0 = datetime(2026, 11, 23, tzinfo=UTC)
LATER = T0 + timedelta(seconds=40)
OBJECT_NAME = "incident-brief"

# A label is allowed when its values come from a vocabulary of ours or of Kubernetes.
ALLOWED_LABELS = {
    "direction",
    "outcome",
    "kind",
    "verb",
    "resource",
    "code",
    "what",
    "reason",
    "le",
}


USED = Usage(
    model_calls=3,
    input_tokens=1_700,
    cached_tokens=400,
    output_tokens=60,
    tool_calls=2,
    costUSD="0.25",
)
ASKED = (T0, T0 + timedelta(seconds=30))


def attempt(outcome: str = "Succeeded", *, started: bool = True) -> AttemptEnded:
    return AttemptEnded(
        path=OBJECT_NAME,
        kind="python",
        round=1,
        number=1,
        outcome=outcome,
        job=OBJECT_NAME,
        pod_uid=OBJECT_NAME,
        launched=T0,
        started=T0 + timedelta(seconds=3) if started else None,
        finished=T0 + timedelta(seconds=10),
        usage=USED,
    )


def moved() -> Metrics:
    """Every metric with at least one sample."""
    metrics = Metrics()
    end = T0 + timedelta(seconds=60)
    run = RunEnded(
        round=1,
        outcome="Failed",
        reason="x",
        started=T0,
        finished=end,
        compensation="CompensationFailed",
        finally_="FinallyFailed",
    )
    metrics.ended(run)
    metrics.ended(attempt())
    metrics.model_called(ModelCall("Answered", 2.0, 0.5))
    gate = ApprovalEnded(
        path=OBJECT_NAME,
        round=1,
        outcome="Denied",
        approval=OBJECT_NAME,
        opened=T0,
        finished=end,
    )
    metrics.ended(gate)
    metrics.api_request(verb="get", resource="jobs", code="200", seconds=0.1)
    metrics.swept_objects(what="jobs", count=2)
    metrics.refused_result(reason="foreign")
    metrics.kept_logs.labels(outcome="Kept").inc()
    metrics.reconcile_seconds.labels(outcome="idle").observe(0.1)
    metrics.follow_active_runs(lambda: 7)
    waiting = [Signals(stalled=True), Signals(stalled=True, asked=ASKED)]
    metrics.follow_signals(lambda: waiting, lambda: T0 + timedelta(seconds=90))
    metrics.follow_set_aside(("Failing",), lambda reason: 2)
    metrics.follow_slots(held=lambda: 3, waiting=lambda: 5, oldest=lambda: T0, now=lambda: LATER)
    metrics.follow_writes(lambda: 7)
    metrics.follow_refused_namespaces(lambda: 1)
    metrics.follow_queue(depth=lambda: 3, oldest=lambda: 1.5)
    return metrics


def moved_gateway() -> GatewayMetrics:
    """Every metric of the gateway with at least one sample."""
    metrics = GatewayMetrics()
    metrics.served(method="PUT", type_="result", result="Stored", seconds=0.1)
    metrics.stored(type_="result", size=10)
    metrics.swept(1)
    metrics.follow_in_flight(lambda: 5)
    metrics.api_request(verb="get", resource="pods", code="200", seconds=0.1)
    return metrics


def moved_ingress() -> IngressMetrics:
    """Every metric of the ingress with at least one sample."""
    metrics = IngressMetrics()
    metrics.ended(result="Created", seconds=0.1)
    metrics.api_request(verb="list", resource="eventsources", code="200", seconds=0.1)
    return metrics


def moved_archive() -> ArchiveMetrics:
    """Every metric of the archive with at least one sample."""
    metrics = ArchiveMetrics()
    metrics.ended("Kept")
    metrics.looked(failed=1)
    metrics.deleted(2)
    metrics.answered(200)
    metrics.api_request(verb="list", resource="agentworkflows", code="200", seconds=0.1)
    return metrics


def moved_notifier() -> NotifierMetrics:
    """Every metric of the notifier with at least one sample."""
    metrics = NotifierMetrics()
    metrics.count("chat", "Delivered")
    metrics.follow("chat", pending=lambda: 2, oldest=lambda: 30)
    metrics.api_request(verb="list", resource="approvals", code="200", seconds=0.1)
    return metrics


def moved_admission() -> AdmissionMetrics:
    """Every metric of the admission webhook with at least one sample."""
    metrics = AdmissionMetrics()
    metrics.answered(result="Named", seconds=0.01)
    metrics.api_request(verb="get", resource="secrets", code="200", seconds=0.1)
    return metrics


def moved_model_gateway() -> ModelMetrics:
    """Every metric of the model gateway with at least one sample."""
    metrics = ModelMetrics()
    metrics.began()
    metrics.ended(type_="openai", result="Answered", seconds=0.1)
    metrics.api_request(verb="get", resource="pods", code="200", seconds=0.1)
    return metrics


def collected() -> list[Metric]:
    """Every metric of every process."""
    every = (
        moved(),
        moved_gateway(),
        moved_model_gateway(),
        moved_admission(),
        moved_ingress(),
        moved_archive(),
        moved_notifier(),
    )
    return [family for metrics in every for family in metrics.registry.collect()]


@pytest.mark.parametrize(
    ("sample", "labels", "value"),
    [
        ("waypost_runs_total", {"outcome": "Failed"}, 1),
        ("waypost_runs_active", {}, 7),
        ("waypost_slots_held", {}, 3),
        ("waypost_runs_stalled", {}, 2),
        ("waypost_approvals_open", {}, 2),
        ("waypost_approval_oldest_seconds", {}, 90),
        ("waypost_model_calls_total", {}, 3),
        ("waypost_model_tokens_total", {"direction": "input"}, 1_300),
        ("waypost_model_tokens_total", {"direction": "cached"}, 400),
        ("waypost_model_tokens_total", {"direction": "output"}, 60),
        ("waypost_model_cost_usd_total", {}, 0.25),
        ("waypost_tool_calls_total", {}, 2),
        ("waypost_model_call_seconds_sum", {"outcome": "Answered"}, 2),
        ("waypost_model_first_byte_seconds_sum", {}, 0.5),
        ("waypost_slots_waiting", {}, 5),
        ("waypost_slots_oldest_seconds", {}, 40),
        ("waypost_writes_waiting", {}, 7),
        ("waypost_runs_set_aside", {"reason": "Failing"}, 2),
        ("waypost_namespaces_refused", {}, 1),
        ("waypost_run_duration_seconds_sum", {"outcome": "Failed"}, 60),
        ("waypost_node_attempts_total", {"kind": "python", "outcome": "Succeeded"}, 1),
        ("waypost_node_queue_seconds_sum", {"kind": "python"}, 3),
        ("waypost_node_duration_seconds_sum", {"kind": "python"}, 7),
        ("waypost_approvals_total", {"outcome": "Denied"}, 1),
        ("waypost_approval_wait_seconds_sum", {"outcome": "Denied"}, 60),
        ("waypost_swept_total", {"what": "jobs"}, 2),
        ("waypost_results_refused_total", {"reason": "foreign"}, 1),
        ("waypost_queue_depth", {}, 3),
        ("waypost_queue_oldest_seconds", {}, 1.5),
        ("waypost_reconcile_seconds_count", {"outcome": "idle"}, 1),
        ("waypost_api_requests_total", {"verb": "get", "resource": "jobs", "code": "200"}, 1),
        ("waypost_api_request_seconds_count", {"verb": "get", "resource": "jobs"}, 1),
    ],
)
def test_samples(sample: str, labels: dict[str, str], value: float) -> None:
    assert moved().registry.get_sample_value(sample, labels) == value


def test_an_attempt_that_never_started_has_no_durations() -> None:
    metrics = Metrics()
    metrics.ended(attempt("ImagePull", started=False))
    labels = {"kind": "python", "outcome": "ImagePull"}
    assert metrics.registry.get_sample_value("waypost_node_attempts_total", labels) == 1
    count = "waypost_node_duration_seconds_count"
    assert metrics.registry.get_sample_value(count, {"kind": "python"}) is None


def test_no_names_of_objects_in_labels() -> None:
    families = [f for f in moved().registry.collect() if f.name.startswith("waypost_")]
    labels = {
        label
        for family in families
        if family.name != "waypost_build_info"
        for sample in family.samples
        for label in sample.labels
    }
    assert labels <= ALLOWED_LABELS
    assert OBJECT_NAME not in moved().exposition()[0].decode()


OPEN_METRICS = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def exposed(trace_id: str, accept: str) -> str:
    metrics, gateway = Metrics(), ModelMetrics()
    metrics.ended(attempt(), trace_id=trace_id)
    metrics.model_called(ModelCall("Answered", 2.0, 0.5), trace_id=trace_id)
    gateway.began()
    gateway.ended(type_="OpenAI", result="Answered", seconds=2, trace_id=trace_id)
    texts = [each.exposition(accept)[0].decode() for each in (metrics, gateway)]
    assert all(text.endswith("# EOF\n") == (accept == OPEN_METRICS) for text in texts)
    return "".join(texts)


def test_s795_durations_have_exemplars() -> None:
    named = [line for line in exposed(TRACE, OPEN_METRICS).splitlines() if TRACE in line]
    assert {line.partition("{")[0] for line in named} == {
        "waypost_node_duration_seconds_bucket",
        "waypost_node_queue_seconds_bucket",
        "waypost_model_call_seconds_bucket",
        "waypost_model_first_byte_seconds_bucket",
        "waypost_model_gateway_call_seconds_bucket",
    }
    assert all(f'# {{trace_id="{TRACE}"}} ' in line for line in named)


@pytest.mark.parametrize(
    ("trace_id", "accept"),
    [
        pytest.param("", OPEN_METRICS, id="no-traces-are-sent"),
        pytest.param(TRACE, "", id="a-reader-of-the-old-format"),
        pytest.param(TRACE, "text/plain", id="a-person"),
    ],
)
def test_s795_no_exemplars(trace_id: str, accept: str) -> None:
    text = exposed(trace_id, accept)
    assert "# {" not in text
    assert "waypost_node_duration_seconds_bucket{" in text


def test_a_vocabulary_that_grows_without_end_is_cut_off() -> None:
    metrics = Metrics()
    for number in range(500):
        metrics.ended(attempt(f"Made{number}Up"))
        metrics.refused_result(reason=f"r{number}")
    series = [s for f in metrics.registry.collect() for s in f.samples]
    attempts = [s for s in series if s.name == "waypost_node_attempts_total"]
    # 64 values, Other, and the two that begin at 0.
    assert len({s.labels["outcome"] for s in attempts}) == 67
    labels = {"kind": "python", "outcome": OTHER}
    assert metrics.registry.get_sample_value("waypost_node_attempts_total", labels) == 436


def test_known_values_pass_when_the_vocabulary_is_full() -> None:
    bounded = Bounded(limit=1)
    assert [bounded("a"), bounded("b"), bounded("a")] == ["a", OTHER, "a"]


def test_every_metric_is_documented_and_every_documented_one_exists() -> None:
    rows = re.findall(r"^\| `(waypost_[a-z_]+)` \| (\w+) \| ([^|]*) \|", DOCS.read_text(), re.M)
    documented = {name: (kind, labels.strip()) for name, kind, labels in rows}
    exported = {}
    for family in collected():
        if family.name.startswith("waypost_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            used = {key for sample in family.samples for key in sample.labels} - {"le"}
            exported[name] = (family.type, ", ".join(f"`{label}`" for label in sorted(used)))
    assert documented == exported
