"""Attempts whose pods others deleted, although their Jobs may make others (A9, S553).

A queue that preempts, or a person, suspends a Job: the Job controller deletes its pod, and makes
another one when the Job is resumed. That may be after the end of the attempt. So such a Job is
stopped first, and its attempt closed once the Job can start nothing any more.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from waypost.api.changes import changed_attempt
from waypost.api.status import AttemptStatus, NodeStatus
from waypost.engine.state.decision import StopAttempt
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import Transition
from waypost.kube.facts.jobs import JobFact
from waypost.kube.facts.pods import PodFact
from waypost.kube.facts.read_problems import OBJECTS
from waypost.protocol.reasons import Reason

_STOP_AGAIN: Final = 5.0  # seconds


def needs_its_job(observed: Observed, status: NodeStatus) -> bool:
    """Whether the pods of an attempt were deleted, and a live read must show what its Job does."""
    attempt = status.open_attempt
    if attempt is None or not _were_deleted(observed.pods_of(status.path, attempt)):
        return False
    job = observed.jobs.get(attempt.job)
    return job is None or not _starts_nothing(job)


def keeps_open(
    transition: Transition, path: str, attempt: AttemptStatus, pods: Sequence[PodFact]
) -> bool:
    """Whether an attempt whose pods were deleted cannot be closed yet, because its Job may make
    another one. Then the Job is stopped first."""
    if not _were_deleted(pods):
        return False
    job = transition.observed.jobs.get(attempt.job)
    if job is not None and _starts_nothing(job):
        return False
    if not transition.observed.live:
        if unread := transition.observed.unread.get(OBJECTS):
            transition.wait_to_read(path, unread)
        else:
            transition.requeue_at(transition.now)
        return True
    if job is None:
        return False
    if attempt.stopping is None and _is_preempted(job, pods):
        _name_queue(transition, path, job)
        stopped = changed_attempt(attempt, stopping=str(Reason.PREEMPTED))
        transition.record_attempt(path, stopped)
    transition.after.append(StopAttempt(job=attempt.job, pods=()))
    if refused := transition.observed.child_problems.get(attempt.job):
        text = f"its Job cannot be stopped: {refused.message}"
        transition.name_trouble(path, Reason.STOP_REJECTED, text)
    transition.requeue_at(transition.now + timedelta(seconds=_STOP_AGAIN))
    return True


def _were_deleted(pods: Sequence[PodFact]) -> bool:
    """Whether all pods of an attempt are over or end, and one was deleted, as the Job controller
    does when a Job is suspended. Of one that was not deleted, the Job counts the end."""
    end = all(pod.over or pod.deleting for pod in pods)
    return end and any(pod.deleting for pod in pods)


def _starts_nothing(job: JobFact) -> bool:
    """Whether a Job makes no pod any more, whatever others do to it."""
    return job.halted or job.ended or job.deleting


def _is_preempted(job: JobFact, pods: Sequence[PodFact]) -> bool:
    """Whether its queue deleted the pods: the Job is suspended, or was resumed after they began."""
    began = max((pod.created_at for pod in pods if pod.created_at is not None), default=None)
    resumed = job.resumed_at is not None and began is not None and job.resumed_at > began
    return bool(job.queue) and (job.suspended or resumed)


def _name_queue(transition: Transition, path: str, job: JobFact) -> None:
    said = job.workload.text if job.workload is not None else ""
    text = f"queue {job.queue} suspended its Job"
    transition.name_trouble(path, Reason.PREEMPTED, f"{text}: {said}" if said else text)
