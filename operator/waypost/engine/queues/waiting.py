"""Queues that admit the Jobs of attempts (Kueue): wait for them.

A queue resumes the Job that it admits. To preempt, it suspends the Job again (`taken`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from waypost.api.changes import changed_attempt
from waypost.api.status import AttemptStatus
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.kube.facts.jobs import JobFact
from waypost.kube.facts.pods import PodFact
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

_MESSAGE: Final = 1024
_NO_WORKLOAD: Final = "no Workload of Kueue exists for it; check that Kueue runs and serves Jobs"


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


def _show(transition: Transition, path: str, text: str) -> None:
    status = transition.statuses[path]
    if status.reason != Reason.QUEUED:
        transition.event("Normal", str(Reason.QUEUED), f"{path}: {text}")
    if (status.reason, status.message) != (Reason.QUEUED, text):
        transition.update(path, reason=str(Reason.QUEUED), message=text)
