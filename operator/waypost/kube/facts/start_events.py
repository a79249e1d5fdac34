"""Events of a pod whose container is not started: its status stays at ContainerCreating, and only
the kubelet's Events say why.

They are hints: Events are merged, expire and may be lost. So no decision depends on one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from waypost.kube.facts.pods import PodFact
from waypost.kube.objects import text
from waypost.kube.secret_files import explain, missing_key, missing_object

# A pod that has been silent for so long names what its newest Event says. What passes by itself,
# such as a cache of the kubelet that is not filled yet, has mostly passed by then.
SILENT: Final = timedelta(seconds=45)
_TROUBLES: Final = frozenset(
    (
        *("FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedSync"),
        *("FailedCreatePodSandBox", "FailedPodSandBoxStatus", "NetworkNotReady"),
        *("FailedCreatePodContainer", "FailedPrepareDynamicResources"),
    )
)
_WAS_DELETED: Final = (
    "with the inputs of this attempt was deleted; after queueTimeout the next attempt has a new one"
)


@dataclass(frozen=True)
class StartEvents:
    """What the Events of one pod said when they were read.

    Attributes:
        read_at: When they were read.
        missing: Which Secret, ConfigMap or key it waits for; "" if none is named.
        trouble: Another reason of the kubelet, if the pod has been silent for long; or "".
    """

    read_at: datetime
    missing: str = ""
    trouble: str = ""


def start_events(
    events: Sequence[Mapping[str, Any]], pod: PodFact, *, now: datetime
) -> StartEvents:
    """What the Events of a pod that has not started say.

    Args:
        events: All Events of the pod, the newest last.
        pod: The pod.
        now: When they were read.
    """
    mounts = [text(each, "message") for each in events if text(each, "reason") == "FailedMount"]
    failed = mounts[-1] if mounts else ""
    if missing_key(failed):
        name = missing_object(failed)
        if name and pod.owned_by == f"Job/{name}":  # the ConfigMap of an attempt, as its Job
            return StartEvents(now, trouble=f"ConfigMap {name} {_WAS_DELETED}")
        return StartEvents(now, missing=explain(failed, pod.keys))
    newest: Mapping[str, Any] = events[-1] if events else {}
    late = pod.created_at is None or now >= pod.created_at + SILENT
    if not late or text(newest, "reason") not in _TROUBLES:
        return StartEvents(now)
    words = " ".join(text(newest, "message").split())
    return StartEvents(now, trouble=f"{text(newest, 'reason')}: {words}".removesuffix(": "))
