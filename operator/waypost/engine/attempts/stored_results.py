"""Results that a pod uploaded to the gateway: when to read one, and whether it counts."""

from datetime import datetime

from waypost.api.kinds.table import kind_of
from waypost.api.status import AttemptStatus, NodeStatus
from waypost.api.workflow import Node
from waypost.engine.attempts import lost_machines
from waypost.engine.attempts.judge import needs_record
from waypost.engine.attempts.launched_as import kind_of_pod
from waypost.engine.state.observed import Observed
from waypost.engine.state.paths import attempt_ref
from waypost.engine.state.transition import Transition
from waypost.kube.facts.read_problems import ReadProblem, of_record
from waypost.kube.kinds.table import KINDS
from waypost.kube.payloads import AttemptRef, RecordFact
from waypost.protocol.record import Attempt


def reads_of(observed: Observed, status: NodeStatus, node: Node, now: datetime) -> set[str]:
    """The name of the NodeRecord to read, as a set of at most one.

    It is read for an open attempt whose pods are over and whose commit record holds no result.
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
    if pods:
        over = all(pod.over or lost_machines.loss_reason(observed, pod, now) for pod in pods)
        needed = over and any(needs_record(pod, expected_identity(ref, pod.uid)) for pod in pods)
    else:
        job = observed.jobs.get(attempt.job)
        needed = observed.live and job is not None and job.ended
    return {ref.record_name("Result")} if needed else set()


def stored_result(transition: Transition, path: str, attempt: AttemptStatus) -> RecordFact | None:
    """The attempt's NodeRecord, if it was read and belongs to this attempt."""
    ref = transition.attempt_ref(path, attempt.number)
    fact = transition.observed.records.get(ref.record_name("Result"))
    return fact if fact is not None and fact.is_of("Result", ref) else None


def unread(transition: Transition, path: str, attempt: AttemptStatus) -> ReadProblem | None:
    """Why the attempt's NodeRecord could not be read, if it had to be."""
    name = transition.attempt_ref(path, attempt.number).record_name("Result")
    return transition.observed.unread.get(of_record(name))


def expected_identity(ref: AttemptRef, pod_uid: str) -> Attempt:
    """The identity that a commit record of this attempt and pod carries."""
    return Attempt(ref.run_uid, ref.path, ref.round, ref.attempt, pod_uid)
