"""Traces of attempts: read, stored in NodeRecords, and passed to the span exporter."""

from waypost.api.base import JsonValue
from waypost.api.meta import EventReason
from waypost.api.status import NodeStatus
from waypost.engine.attempts.judge import needs_trace
from waypost.engine.attempts.stored_results import expected_identity
from waypost.engine.state.decision import PutRecord
from waypost.engine.state.observed import Observed
from waypost.engine.state.paths import attempt_ref
from waypost.engine.state.transition import Transition
from waypost.kube import node_records
from waypost.kube.facts.read_problems import of_record
from waypost.kube.payloads import AttemptRef
from waypost.protocol import ijson
from waypost.protocol.work import Trace, trace_from_json


def reads_of(observed: Observed, status: NodeStatus) -> set[str]:
    """The name of the NodeRecord to read, as a set of at most one.

    It is read for an open attempt whose pods are over and whose commit record says that the
    gateway has the trace.
    """
    attempt = status.open_attempt
    if attempt is None:
        return set()
    ref = attempt_ref(observed, status, attempt.number)
    pods = observed.pods_of(status.path, attempt)
    over = all(pod.over for pod in pods)
    needed = over and any(needs_trace(pod, expected_identity(ref, pod.uid)) for pod in pods)
    return {ref.record_name("Trace")} if needed else set()


def keep_trace(
    transition: Transition, path: str, number: int, trace: Trace | bool | None
) -> str | None:
    """Store the trace of an attempt and pass it to the exporter.

    Args:
        transition: The next status of the run.
        path: The node.
        number: The number of the attempt.
        trace: The trace from the commit record, which gets its own NodeRecord; True if the pod
            uploaded it to the gateway.

    Returns:
        The name of the NodeRecord; None if there is no trace or it could not be written.
    """
    ref = transition.attempt_ref(path, number)
    name = ref.record_name("Trace")
    if isinstance(trace, Trace):
        if not trace.entries:
            return None
        problem = transition.observed.write_problems.get(name)
        if problem is not None:
            transition.event("Warning", "TraceLost", f"{path}: {problem.message}")
            return None
        transition.before.append(PutRecord(manifest=_manifest(transition, ref, trace.to_json())))
        transition.traces[path, number] = trace
        return name
    if not trace:
        return None
    unread = transition.observed.unread.get(of_record(name))
    if unread is not None:
        transition.event("Warning", EventReason.TRACE_UNREADABLE, f"{path}: {unread.text}")
    fact = transition.observed.records.get(name)
    if fact is not None and fact.is_of("Trace", ref) and fact.payload.read:
        try:
            transition.traces[path, number] = trace_from_json(fact.payload.value)
        except ValueError as error:
            transition.event(
                "Warning", EventReason.TRACE_UNREADABLE, f"{path}: NodeRecord {name}: {error}"
            )
    return name


def waits(transition: Transition, path: str, number: int) -> bool:
    """Whether the trace of an attempt could not be read a moment ago: a short problem is waited
    for, because only this pass exports the trace."""
    name = transition.attempt_ref(path, number).record_name("Trace")
    problem = transition.observed.unread.get(of_record(name))
    return problem is not None and not problem.is_shown(transition.now)


def _manifest(transition: Transition, ref: AttemptRef, document: JsonValue) -> dict[str, JsonValue]:
    canonical = ijson.canonical(document)
    form = node_records.form_of(document, canonical)
    assert form is not None, "what came in a commit record fits"
    return node_records.manifest(
        "Trace",
        ref,
        digest=ijson.digest(document),
        size=len(canonical),
        form=form,
        owner=transition.owner.reference(),
        namespace=transition.owner.namespace,
    )
