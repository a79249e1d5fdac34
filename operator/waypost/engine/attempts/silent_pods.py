"""Pods that have a machine and do not start. Their status stays at ContainerCreating: only an
Event, which is read live, says why: a missing Secret or key, a network that gives no address.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from waypost.api.status import AttemptStatus
from waypost.engine.state.observed import Observed
from waypost.kube import timestamps
from waypost.kube.facts.pods import PodFact
from waypost.kube.facts.start_events import SILENT

# Seconds after launch, and between two reads. A pod that mounts keys is read soon: a mount that
# works takes one or two. Of another pod only the name of its trouble is at stake.
_WITH_KEYS: Final = (3.0, 60.0)
_WITHOUT: Final = (SILENT.total_seconds(), 300.0)
_CREATING: Final = ("", "ContainerCreating", "PodInitializing")


def is_silent(pod: PodFact) -> bool:
    """Whether a pod has a machine that neither starts it nor reports why."""
    bound = pod.scheduled and pod.started_at is None and not pod.over and not pod.deleting
    return bound and pod.init is None and pod.waiting_reason in _CREATING


def slow_init(pod: PodFact, now: datetime) -> str:
    """That an added init container still runs, once the pod has waited for it for 45 seconds."""
    return pod.init.text if pod.init is not None and now >= _slow_at(pod, now) else ""


def looks(
    observed: Observed, pod: PodFact, attempt: AttemptStatus, now: datetime
) -> Iterator[datetime]:
    """When a pod that has not started is looked at next."""
    if pod.init is not None and now < (at := _slow_at(pod, now)):
        yield at
    if is_silent(pod):
        yield look_at(observed, pod, attempt)


def _slow_at(pod: PodFact, now: datetime) -> datetime:
    return (pod.created_at or now) + SILENT


def is_another_cause(pod: PodFact, named: str) -> bool:
    """Whether the Event names another cause than the one that the node shows: the pod may have
    waited for a machine before."""
    return bool(pod.event_trouble) and pod.event_trouble.partition(":")[0] not in named


def look_at(observed: Observed, pod: PodFact, attempt: AttemptStatus) -> datetime:
    """When the Events of a silent pod are read next; the interval grows from 3 to 60 seconds, or
    from 45 to 300 for a pod without keys."""
    first, last = _WITH_KEYS if pod.keys else _WITHOUT
    launched = timestamps.parse_timestamp(attempt.launched_at) or observed.created_at
    if not pod.keys and pod.created_at is not None:
        launched = max(launched, pod.created_at)
    looked = pod.events_read_at
    if looked is None:
        return launched + timedelta(seconds=first)
    age = (looked - launched).total_seconds()
    return looked + timedelta(seconds=min(max(age / 2, first), last))
