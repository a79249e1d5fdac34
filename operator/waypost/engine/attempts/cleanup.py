"""Pods of closed attempts: stop those that may still run, release those with a checkpoint."""

from datetime import timedelta
from typing import Final

from waypost.engine.state.decision import ReleasePod, StopAttempt
from waypost.engine.state.transition import Transition

_SIDECARS_ALONE: Final = timedelta(seconds=5)  # many end by themselves once the program has ended


def seal_closed(transition: Transition) -> list[StopAttempt]:
    """Stop the pods of closed attempts that may still run on machines that were given up.

    The stop is repeated in every pass, so that it takes effect once the machine is back.
    """
    return [
        StopAttempt(job=transition.job_of(pod), pods=(pod,))
        for pod in transition.observed.pods
        if transition.has_closed(pod) and not pod.over and not pod.deleting
    ]


def stop_sidecars(transition: Transition) -> list[StopAttempt]:
    """Stop the pods of closed attempts whose program has ended while injected sidecars still run.

    Such pods occupy requests and quota. They are stopped five seconds after the program ended.
    """
    stops = []
    for pod in transition.observed.pods:
        if not pod.lives_on or pod.deleting or not transition.has_closed(pod):
            continue
        due = (pod.finished_at or transition.now) + _SIDECARS_ALONE
        job = transition.observed.jobs.get(transition.job_of(pod))
        if transition.now < due:
            transition.requeue_at(due)
        elif job is None or not job.halted:  # by us: the pod may be gone, and its watch silent
            stops.append(StopAttempt(job=transition.job_of(pod), pods=(pod,)))
    return stops


def release_closed(transition: Transition) -> list[ReleasePod]:
    """Release the pods whose result this status checkpoints: their finalizer is removed."""
    return [
        ReleasePod(name=pod.name, uid=pod.uid)
        for pod in transition.observed.pods
        if pod.held and transition.has_closed(pod)
    ]
