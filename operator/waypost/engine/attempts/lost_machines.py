"""Machines that fall silent: when one is read, and when its pods are given up (A4).

A pod on a dead machine stays as it was for ever: nobody is left to tell its end. It is lost once
its machine has not been ready for a time, which is concluded from live reads only, of the machine
and of the run's pods, in the pass that concludes it. The attempt is then sealed, that is closed in
status: a record that comes later, and an upload, belong to no current attempt and are refused.
"""

from datetime import datetime, timedelta
from typing import Final

from waypost.api.status import NodeStatus
from waypost.engine.state.observed import Observed
from waypost.kube import timestamps
from waypost.kube.machines import MachineFact
from waypost.kube.pods import PodFact

_OVERDUE: Final = timedelta(seconds=5)  # after a deletion should have been done
_LOOK_AGAIN: Final = timedelta(seconds=10)
_LOOK_AT_READY: Final = timedelta(seconds=60)  # a pod may be stuck on a machine that is well


def suspected_since(pod: PodFact) -> datetime | None:
    """From when on a pod looks as if its machine were dead; None while it does not. Costs
    nothing: the watch tells it."""
    if pod.over or not pod.machine:
        return None
    moments = []
    if pod.deleting_until is not None:  # the taint manager's deletion, or one that we asked for
        moments.append(pod.deleting_until + _OVERDUE)
    if pod.unready_since is not None and pod.started_at is not None and not pod.terminated:
        moments.append(pod.unready_since)  # no kubelet does that to a pod without probes
    return min(moments, default=None)


def look_at(observed: Observed, pod: PodFact) -> datetime | None:
    """When a pod's machine is read next; None when there is no need."""
    doubted = suspected_since(pod)
    if doubted is None or not observed.node_lost_seconds:
        return None
    fact = observed.machines.get(pod.machine)
    if fact is None:
        return doubted
    if fact.ready:
        return max(doubted, fact.looked_at + _LOOK_AT_READY)
    return max(_lost_at(observed, fact, doubted), fact.looked_at + _LOOK_AGAIN)


def reads_of(observed: Observed, status: NodeStatus, now: datetime) -> set[str]:
    """The machines of a running attempt that are to be read now."""
    found = set()
    for pod in _current(observed, status):
        fact, at = observed.machines.get(pod.machine), look_at(observed, pod)
        if at is not None and now >= at and not (fact is not None and fact.live):
            found.add(pod.machine)
    return found


def needs_live_read(observed: Observed, status: NodeStatus, now: datetime) -> bool:
    """Whether a pod is about to be given up, so that its end must be looked for once more."""
    return any(_unresponsive_too_long(observed, pod, now) for pod in _current(observed, status))


def loss_reason(observed: Observed, pod: PodFact, now: datetime) -> str:
    """Why a pod is given up; "" while it is not."""
    if not observed.live or not _unresponsive_too_long(observed, pod, now):
        return ""
    return trouble(observed, pod)


def trouble(observed: Observed, pod: PodFact) -> str:
    """What is wrong with the machine of a pod that looks left alone; "" when nothing is known to
    be."""
    fact = observed.machines.get(pod.machine)
    if fact is None or fact.ready or suspected_since(pod) is None:
        return ""
    if not fact.found:
        return f"machine {fact.name} does not exist any more"
    since = f" since {timestamps.timestamp(fact.since)}" if fact.since else ""
    return f"machine {fact.name} has not been ready{since}"


def _unresponsive_too_long(observed: Observed, pod: PodFact, now: datetime) -> bool:
    fact, doubted = observed.machines.get(pod.machine), suspected_since(pod)
    if fact is None or not fact.live or fact.ready or doubted is None or now < doubted:
        return False
    return bool(observed.node_lost_seconds) and now >= _lost_at(observed, fact, doubted)


def _lost_at(observed: Observed, fact: MachineFact, doubted: datetime) -> datetime:
    # A machine that does not exist has no time of its own.
    return (fact.since or doubted) + timedelta(seconds=observed.node_lost_seconds)


def _current(observed: Observed, status: NodeStatus) -> list[PodFact]:
    """The pods of a node's attempt while it is open."""
    attempt = status.open_attempt
    return observed.pods_of(status.path, attempt.number) if attempt is not None else []
