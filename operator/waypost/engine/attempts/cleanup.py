"""Pods of closed attempts: stop those that may still run, release those with a checkpoint."""

from waypost.engine.state.decision import ReleasePod, StopAttempt
from waypost.engine.state.transition import Transition


def seal_closed(draft: Transition) -> list[StopAttempt]:
    """Pods of closed attempts that may still run, on machines that were given up: stopped as soon
    as the machine is back, however often it takes."""
    return [
        StopAttempt(job=draft.job_of(pod), pods=(pod,))
        for pod in draft.observed.pods
        if draft.has_closed(pod) and not pod.over and not pod.deleting
    ]


def release_closed(draft: Transition) -> list[ReleasePod]:
    """Pods whose result is checkpointed by this status: their finalizer may go."""
    return [
        ReleasePod(name=pod.name, uid=pod.uid)
        for pod in draft.observed.pods
        if pod.held and draft.has_closed(pod)
    ]
