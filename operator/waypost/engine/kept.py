"""Results that a pod handed in at the gateway: when to look for one, and whether it counts."""

from datetime import datetime

from waypost.api.status import AttemptStatus, NodeStatus
from waypost.engine import machines
from waypost.engine.draft import Draft
from waypost.engine.draft import whose as whose_of
from waypost.engine.model import Observed
from waypost.engine.outcomes import wants_record
from waypost.kube.payloads import AttemptRef, RecordFact
from waypost.protocol.record import Attempt


def wanted(observed: Observed, status: NodeStatus, kind: str, now: datetime) -> set[str]:
    """The NodeRecord of a running attempt that is over and has told no result of its own."""
    attempt = status.latest_attempt
    if attempt is None or attempt.finished_at is not None:
        return set()
    whose = whose_of(observed, status, attempt.number)
    pods = [p for p in observed.pods if (p.path, p.attempt) == (status.path, attempt.number)]
    if kind == "container" and not any(pod.carries for pod in pods):
        return set()
    if pods:
        over = all(pod.over or machines.lost(observed, pod, now) for pod in pods)
        looks = over and any(wants_record(pod, expected(whose, pod.uid)) for pod in pods)
    else:
        job = observed.jobs.get(attempt.job)
        looks = observed.live and job is not None and job.ended
    return {whose.record_name("Result")} if looks else set()


def found(draft: Draft, path: str, attempt: AttemptStatus) -> RecordFact | None:
    """The attempt's NodeRecord, if it was looked for and is what its name says."""
    whose = draft.whose(path, attempt.number)
    fact = draft.observed.records.get(whose.record_name("Result"))
    return fact if fact is not None and fact.is_of("Result", whose) else None


def expected(whose: AttemptRef, pod_uid: str) -> Attempt:
    """The identity that a commit record of this attempt and pod carries."""
    return Attempt(whose.run_uid, whose.path, whose.round, whose.attempt, pod_uid)
