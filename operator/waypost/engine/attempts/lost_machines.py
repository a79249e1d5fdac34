"""Machines that stop responding: when one is read, and when its pods count as lost (A4).

When a machine dies, its pods keep their last status: no kubelet is left to update it. A pod is
lost once its machine has not been ready for `node_lost_seconds`. Only live reads of the machine
and of the run's pods, in the same pass, may lead to that conclusion. The attempt is then sealed,
which means closed in status: its later records and uploads are refused.
"""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.status import NodeStatus
from waypost.engine.state.observed import Observed
from waypost.kube import timestamps
from waypost.kube.facts.machines import MachineFact
from waypost.kube.facts.pods import PodFact

_OVERDUE: Final = timedelta(seconds=5)  # after a deletion should have been done
_LOOK_AGAIN: Final = timedelta(seconds=10)
_LOOK_AT_READY: Final = timedelta(seconds=60)  # a pod may hang on a machine that is ready


def suspected_since(pod: PodFact) -> datetime | None:
    """Since when a pod looks as if its machine were dead; None if it does not.

    Uses only what the watch delivers, so it needs no read.
    """
    if pod.over or not pod.machine:
        return None
    moments = []
    if pod.deleting_until is not None:  # deleted by the taint manager or by us
        moments.append(pod.deleting_until + _OVERDUE)
    if pod.unready_since is not None and pod.started_at is not None and not pod.terminated:
        moments.append(pod.unready_since)  # no kubelet does that to a pod without probes
    return min(moments, default=None)


def look_at(observed: Observed, pod: PodFact) -> datetime | None:
    """When a pod's machine must be read next; None if it need not be."""
    suspected = suspected_since(pod)
    if suspected is None or not observed.node_lost_seconds:
        return None
    fact = observed.machines.get(pod.machine)
    if fact is None:
        return suspected
    if fact.ready:
        pause = _LOOK_AGAIN if fact.unread else _LOOK_AT_READY
        return max(suspected, fact.looked_at + pause)
    return max(_lost_at(observed, fact, suspected), fact.looked_at + _LOOK_AGAIN)


def reads_of(observed: Observed, status: NodeStatus, now: datetime) -> set[str]:
    """The names of the machines of a running attempt that must be read now."""
    names = set()
    for pod in _current(observed, status):
        fact, at = observed.machines.get(pod.machine), look_at(observed, pod)
        if at is not None and now >= at and not (fact is not None and fact.live):
            names.add(pod.machine)
    return names


def needs_live_read(observed: Observed, status: NodeStatus, now: datetime) -> bool:
    """Whether a pod is about to count as lost, so that the run's pods must be read live first."""
    return any(_unresponsive_too_long(observed, pod, now) for pod in _current(observed, status))


def loss_reason(observed: Observed, pod: PodFact, now: datetime) -> str:
    """Why a pod counts as lost; "" if it does not."""
    if not observed.live or not _unresponsive_too_long(observed, pod, now):
        return ""
    return trouble(observed, pod)


def trouble(observed: Observed, pod: PodFact) -> str:
    """The problem of the machine of a suspected pod, as a text for people; "" if none is known."""
    fact = observed.machines.get(pod.machine)
    if fact is None or suspected_since(pod) is None:
        return ""
    if fact.unread:
        text = f"machine {fact.name} seems to be lost, and cannot be read: {fact.unread}"
        return f"{text}; allow the operator to read it, or delete its pod by force"
    if fact.ready:
        return ""
    if not fact.exists:
        return f"machine {fact.name} no longer exists"
    since = f" since {timestamps.timestamp(fact.since)}" if fact.since else ""
    return f"machine {fact.name} has not been ready{since}"


def _unresponsive_too_long(observed: Observed, pod: PodFact, now: datetime) -> bool:
    fact, suspected = observed.machines.get(pod.machine), suspected_since(pod)
    if fact is None or not fact.live or fact.ready or suspected is None or now < suspected:
        return False
    # It may have become ready after it was read.
    read = min(now, fact.looked_at)
    return bool(observed.node_lost_seconds) and read >= _lost_at(observed, fact, suspected)


def _lost_at(observed: Observed, fact: MachineFact, suspected: datetime) -> datetime:
    # A machine that does not exist has no time of a last change.
    return (fact.since or suspected) + timedelta(seconds=observed.node_lost_seconds)


def _current(observed: Observed, status: NodeStatus) -> list[PodFact]:
    """The pods of a node's attempt while it is open."""
    attempt = status.open_attempt
    return observed.pods_of(status.path, attempt) if attempt is not None else []
