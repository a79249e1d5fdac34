"""Pods of closed attempts: stop those that may still run, release those with a checkpoint."""

from waypost.engine.state.decision import ReleasePod, StopAttempt
from waypost.engine.state.transition import Transition


def seal_closed(transition: Transition) -> list[StopAttempt]:
    """Pods of closed attempts that may still run, on machines that were given up: stopped as soon
    as the machine is back, however often it takes."""
    return [
        StopAttempt(job=transition.job_of(pod), pods=(pod,))
        for pod in transition.observed.pods
        if transition.has_closed(pod) and not pod.over and not pod.deleting
    ]


def release_closed(transition: Transition) -> list[ReleasePod]:
    """Pods whose result is checkpointed by this status: their finalizer may go."""
    return [
        ReleasePod(name=pod.name, uid=pod.uid)
        for pod in transition.observed.pods
        if pod.held and transition.has_closed(pod)
    ]
