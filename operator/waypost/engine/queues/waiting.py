"""Queues that admit the Jobs of attempts (Kueue): wait for them, and notice that they preempt.

A queue resumes the Job that it admits. To preempt, it suspends the Job again: the Job controller
deletes the pod, and the queue would resume the same Job later. So such an attempt is stopped
first, and closed once its Job can start nothing any more.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from waypost.api.changes import changed_attempt
from waypost.api.status import AttemptStatus, NodeStatus
from waypost.engine.state.decision import StopAttempt
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.facts.jobs import JobFact
from waypost.kube.facts.pods import PodFact
from waypost.kube.facts.read_problems import OBJECTS
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

# Reasons of an attempt whose pod was deleted, and whose queue could resume its Job.
_TAKEN: Final = (Reason.PREEMPTED, Reason.DISRUPTED)
_STOP_AGAIN: Final = 5.0  # seconds
_MESSAGE: Final = 1024
_NO_WORKLOAD: Final = "no Workload of Kueue exists for it; check that Kueue runs and serves Jobs"


def needs_its_job(observed: Observed, status: NodeStatus) -> bool:
    """Whether the pods of an attempt were deleted, perhaps because it was preempted (S553)."""
    attempt = status.open_attempt
    if attempt is None or attempt.stopping not in (None, *_TAKEN):
        return False
    job = observed.jobs.get(attempt.job)
    known = job is not None and (job.halted or job.ended or attempt.stopping is not None)
    return not known and _were_deleted(observed.pods_of(status.path, attempt))


def _were_deleted(pods: Sequence[PodFact]) -> bool:
    """Whether all pods of an attempt are over or end, and one that a queue admitted was deleted,
    as the Job controller does when a Job is suspended."""
    end = all(pod.over or pod.deleting for pod in pods)
    return end and any(pod.queued and pod.deleting for pod in pods)


def holds(transition: Transition, path: str, attempt: AttemptStatus, job: JobFact) -> bool:
    """Whether a queue holds the Job of an attempt, and show why (S552).

    Args:
        transition: The next status of the run.
        path: The node.
        attempt: Its attempt, which is not being stopped.
        job: Its Job, read live, without a pod.
    """
    if not job.queue or job.ended:
        return False
    if not job.suspended or job.workload is None or not job.workload.holds:
        admit(transition, path, attempt, job.resumed_at)
        return False
    text = f"waits in queue {job.queue}"
    text = f"{text}: {job.workload.text}" if job.workload.text else text
    _show(transition, path, shorten(text, _MESSAGE))
    return True


def why_suspended(job: JobFact) -> str:
    """Why a suspended Job with a queue is not resumed, although no Workload holds it."""
    said = job.workload.text if job.workload is not None else ""
    return f"Job {job.name} is suspended for queue {job.queue}: {said or _NO_WORKLOAD}"


def admit(
    transition: Transition, path: str, attempt: AttemptStatus, at: datetime | None
) -> AttemptStatus:
    """Record, once, when a queue resumed the Job of an attempt; None: not known.

    Returns:
        The attempt as recorded.
    """
    launched = timestamps.parse_timestamp(attempt.launched_at) or transition.now
    moment = min(max(at or transition.now, launched), transition.now)
    known = timestamps.parse_timestamp(attempt.queued_until)
    if transition.statuses[path].reason == Reason.QUEUED:
        transition.update(path, reason=None, message=None)
    elif known is not None and (at is None or moment <= known):
        return attempt
    attempt = changed_attempt(attempt, queued_until=timestamps.timestamp(moment))
    transition.record_attempt(path, attempt)
    return attempt


def seen_pods(
    transition: Transition, path: str, attempt: AttemptStatus, pods: Sequence[PodFact]
) -> AttemptStatus:
    """Record that a queue has admitted an attempt that has pods."""
    queued = [pod.created_at for pod in pods if pod.queued]
    if not queued:
        return attempt
    return admit(transition, path, attempt, min(filter(None, queued), default=None))


def preempted(
    transition: Transition, path: str, attempt: AttemptStatus, pods: Sequence[PodFact]
) -> bool:
    """Whether an attempt whose pods were deleted cannot be closed yet, because its queue may have
    preempted it and would resume its Job (S553). Then the Job is stopped first."""
    if attempt.stopping not in (None, *_TAKEN) or not _were_deleted(pods):
        return False
    job = transition.observed.jobs.get(attempt.job)
    if job is not None and (job.halted or job.ended):  # it starts nothing any more
        return False
    if not transition.observed.live and (job is None or attempt.stopping is None):
        if unread := transition.observed.unread.get(OBJECTS):
            transition.wait_to_read(path, unread)
        else:
            transition.requeue_at(transition.now)
        return True
    if job is None or not job.queue:
        return False
    if attempt.stopping is None:
        reason = _why(transition, path, job, pods)
        transition.record_attempt(path, changed_attempt(attempt, stopping=str(reason)))
    transition.after.append(StopAttempt(job=attempt.job, pods=()))
    transition.requeue_at(transition.now + timedelta(seconds=_STOP_AGAIN))
    return True


def _why(transition: Transition, path: str, job: JobFact, pods: Sequence[PodFact]) -> Reason:
    """Who deleted the pods: the queue, if the Job is suspended or was resumed after they began."""
    began = max((pod.created_at for pod in pods if pod.created_at is not None), default=None)
    resumed = job.resumed_at is not None and began is not None and job.resumed_at > began
    if not job.suspended and not resumed:
        return Reason.DISRUPTED
    said = job.workload.text if job.workload is not None else ""
    text = f"queue {job.queue} suspended its Job"
    transition.name_trouble(path, Reason.PREEMPTED, f"{text}: {said}" if said else text)
    return Reason.PREEMPTED


def _show(transition: Transition, path: str, text: str) -> None:
    status = transition.statuses[path]
    if status.reason != Reason.QUEUED:
        transition.event("Normal", str(Reason.QUEUED), f"{path}: {text}")
    if (status.reason, status.message) != (Reason.QUEUED, text):
        transition.update(path, reason=str(Reason.QUEUED), message=text)
