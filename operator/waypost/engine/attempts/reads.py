"""What is read from the cluster for an open attempt, beside what the watch delivers, and when."""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.status import AttemptStatus, NodeStatus
from waypost.engine.attempts import silent_pods
from waypost.engine.attempts.judge import needs_log
from waypost.engine.attempts.launched_as import kind_of_pod
from waypost.engine.queues import taken
from waypost.engine.scheduling import deadlines
from waypost.engine.state.observed import Observed
from waypost.kube import timestamps
from waypost.kube.facts.pods import PodFact

LOOK_FIRST: Final = 3.0  # seconds after launch until a missing pod is looked for
LOOK_LAST: Final = 60.0
STOP_AGAIN: Final = 5.0
FENCE: Final = 12.0  # ten seconds of a fence (runtime/writes/actions.py) and the clock skew


def needs_live_read(observed: Observed, status: NodeStatus, now: datetime) -> bool:
    """Whether a running attempt has no pod in the cache and it is time to look for one, or its
    pods were deleted and its Job may make another."""
    attempt = status.open_attempt
    if attempt is None:
        return False
    if observed.pods_of(status.path, attempt):
        return taken.needs_its_job(observed, status)
    return now >= look_at(observed, status.path, attempt)


def log_reads(observed: Observed, status: NodeStatus) -> list[PodFact]:
    """The pods of a running attempt whose logs would explain their end."""
    attempt = status.open_attempt
    return [
        pod
        for pod in (observed.pods_of(status.path, attempt) if attempt else ())
        if pod.over
        and pod.uid not in observed.logs
        and needs_log(pod, kind=kind_of_pod(observed.definition, status.path, pod))
    ]


def event_reads(observed: Observed, status: NodeStatus, now: datetime) -> list[PodFact]:
    """The pods of a running attempt whose Events must be read now, because they do not start."""
    attempt = status.open_attempt
    if attempt is None:
        return []
    return [
        pod
        for pod in observed.pods_of(status.path, attempt)
        if silent_pods.is_silent(pod) and now >= silent_pods.look_at(observed, pod, attempt)
    ]


def look_at(observed: Observed, path: str, attempt: AttemptStatus) -> datetime:
    """When the API server is read next for a pod that is not in the cache: at the queueTimeout of
    the attempt, and before and after it at intervals that grow from 3 to 60 seconds."""
    launched = timestamps.parse_timestamp(attempt.launched_at) or observed.created_at
    looked = observed.live_at if observed.live_at and observed.live_at >= launched else None
    if looked is None:
        known = attempt.job in observed.jobs
        return launched + timedelta(seconds=LOOK_FIRST) if known else launched
    if attempt.stopping:
        return looked + timedelta(seconds=STOP_AGAIN)
    age = (looked - launched).total_seconds()
    following = looked + timedelta(seconds=min(max(age / 2, LOOK_FIRST), LOOK_LAST))
    expires = deadlines.of_start(observed, path, attempt)
    return min(following, expires) if looked < expires else following
