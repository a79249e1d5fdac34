"""Pods that wait for a volume. Their status stays at ContainerCreating: only an Event, which is
read live, reports that a Secret or one of its keys is missing.
"""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.status import AttemptStatus
from waypost.engine.state.observed import Observed
from waypost.kube import timestamps
from waypost.kube.facts.pods import PodFact

_LOOK_FIRST: Final = 3.0  # seconds after launch; a mount that works takes one or two
_LOOK_LAST: Final = 60.0
_CREATING: Final = ("", "ContainerCreating", "PodInitializing")


def waits_for_key(pod: PodFact) -> bool:
    """Whether a pod may be waiting for a key of a Secret or ConfigMap that it mounts."""
    bound = pod.scheduled and pod.started_at is None and not pod.over and not pod.deleting
    return bound and bool(pod.keys) and pod.waiting_reason in _CREATING


def look_at(observed: Observed, pod: PodFact, attempt: AttemptStatus) -> datetime:
    """When the Events of a waiting pod are read next; the interval grows from 3 to 60 seconds."""
    launched = timestamps.parse_timestamp(attempt.launched_at) or observed.created_at
    looked = pod.mount_looked_at
    if looked is None:
        return launched + timedelta(seconds=_LOOK_FIRST)
    age = (looked - launched).total_seconds()
    return looked + timedelta(seconds=min(max(age / 2, _LOOK_FIRST), _LOOK_LAST))
