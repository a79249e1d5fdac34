"""Results that a pod uploaded to the gateway: when to read one, and whether it counts."""

from datetime import datetime

from waypost.api.kinds.table import kind_of
from waypost.api.status import AttemptStatus, NodeStatus
from waypost.api.workflow import Node
from waypost.engine.artifacts import made
from waypost.engine.artifacts.made import records_of
from waypost.engine.attempts import lost_machines
from waypost.engine.attempts.judge import needs_record
from waypost.engine.attempts.launched_as import kind_of_pod
from waypost.engine.state.observed import Observed
from waypost.engine.state.outcome import Outcome, is_parked
from waypost.engine.state.paths import attempt_ref
from waypost.engine.state.transition import Transition
from waypost.kube.facts.pods import PodFact
from waypost.kube.facts.read_problems import ReadProblem, of_record
from waypost.kube.kinds.table import KINDS
from waypost.kube.payloads import AttemptRef, RecordFact
from waypost.protocol.record import Attempt, CommitRecord, belonging_to


def reads_of(observed: Observed, status: NodeStatus, node: Node, now: datetime) -> set[str]:
    """The names of the NodeRecords to read.

    They are read for an open attempt whose pods are over: of its artifacts, of its result if no
    commit record holds it, and of the tool calls that people decide on.
    """
    attempt = status.open_attempt
    if attempt is None or not kind_of(node).has_pod:
        return set()
    ref = attempt_ref(observed, status, attempt.number)
    pods = observed.pods_of(status.path, attempt)
    kinds = {kind_of_pod(observed.definition, status.path, pod) for pod in pods}
    ours = any(KINDS[kind].runs_waypost for kind in kinds or {kind_of(node).name})
    if not ours and not any(pod.has_sidecar for pod in pods):
        return set()
    over, calls = False, set()
    if pods:
        over = all(pod.over or lost_machines.loss_reason(observed, pod, now) for pod in pods)
        needed = over and any(needs_record(pod, expected_identity(ref, pod.uid)) for pod in pods)
        if over and any(is_parked(pod, expected_identity(ref, pod.uid)) for pod in pods):
            calls = {ref.record_name("Calls")}
    else:
        job = observed.jobs.get(attempt.job)
        needed = observed.live and job is not None and job.ended
    ended = over if pods else needed
    names = calls | (records_of(node, ref) if ended else set())
    return names | {ref.record_name("Result")} if needed else names


def stored_result(transition: Transition, path: str, attempt: AttemptStatus) -> RecordFact | None:
    """The attempt's NodeRecord, if it was read and belongs to this attempt."""
    ref = transition.attempt_ref(path, attempt.number)
    fact = transition.observed.records.get(ref.record_name("Result"))
    return fact if fact is not None and fact.is_of("Result", ref) else None


def stored_calls(transition: Transition, path: str, attempt: AttemptStatus) -> RecordFact | None:
    """The same of the tool calls that people decide on."""
    ref = transition.attempt_ref(path, attempt.number)
    fact = transition.observed.records.get(ref.record_name("Calls"))
    return fact if fact is not None and fact.is_of("Calls", ref) else None


def unread(transition: Transition, path: str, attempt: AttemptStatus) -> ReadProblem | None:
    """Why a NodeRecord of the attempt could not be read, if it had to be."""
    ref = transition.attempt_ref(path, attempt.number)
    own = {ref.record_name("Result"), ref.record_name("Calls")}
    names = sorted({*own, *records_of(transition.node(path), ref)})
    problems = (transition.observed.unread.get(of_record(name)) for name in names)
    return next((problem for problem in problems if problem is not None), None)


def with_artifacts(
    transition: Transition,
    path: str,
    attempt: AttemptStatus,
    outcome: Outcome,
    pod: PodFact | None = None,
) -> Outcome:
    """The outcome of an attempt with the artifacts that it made; `pod` is the one that counts."""
    ref = transition.attempt_ref(path, attempt.number)
    claimed = None
    if pod is not None:
        record = belonging_to(pod.record, expect=expected_identity(ref, pod.uid))
        claimed = record if isinstance(record, CommitRecord) else None
    return made.with_artifacts(
        outcome,
        transition.node(path),
        ref,
        records=transition.observed.records,
        record=claimed,
    )


def expected_identity(ref: AttemptRef, pod_uid: str) -> Attempt:
    """The identity that a commit record of this attempt and pod carries."""
    return Attempt(ref.run_uid, ref.path, ref.round, ref.attempt, pod_uid)
