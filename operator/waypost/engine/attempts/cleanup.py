"""Pods of closed attempts: stop those that may still run, release those with a checkpoint."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from waypost.engine.state.decision import ReleasePod, StopAttempt
from waypost.engine.state.transition import Transition
from waypost.kube.facts.copies import own_pods
from waypost.kube.facts.pods import PodFact

_SIDECARS_ALONE: Final = timedelta(seconds=5)  # many end by themselves once the program has ended


def made_by_jobs(transition: Transition, pods: Iterable[PodFact]) -> list[PodFact]:
    """Those of `pods` that Jobs of the run's attempts have made. Only they are stopped: others are
    copies, and not the operator's."""
    asked = list(pods)
    attempts = {(pod.path, pod.attempt) for pod in asked}
    by_job: dict[str, list[PodFact]] = {}
    for pod in transition.observed.pods if asked else ():
        if (pod.path, pod.attempt) in attempts:
            by_job.setdefault(transition.job_of(pod), []).append(pod)
    own = {pod.uid for job, found in by_job.items() for pod in own_pods(found, job=job)}
    return [pod for pod in asked if pod.uid in own]


def _is_beside_its_job(transition: Transition, pod: PodFact) -> bool:
    """Whether a pod has no controller although the Job of its attempt exists: a stop of the Job
    would not reach it. It is a copy whose original is gone."""
    return not pod.owned_by and transition.job_of(pod) in transition.observed.jobs


def seal_closed(transition: Transition) -> list[StopAttempt]:
    """Stop the pods of closed attempts that may still run on machines that were given up.

    The stop is repeated in every pass, so that it takes effect once the machine is back.
    """
    zombies = (
        pod
        for pod in transition.observed.unsettled_pods
        if not pod.over
        and not pod.deleting
        and transition.has_closed(pod)
        and not _is_beside_its_job(transition, pod)
    )
    return [
        StopAttempt(job=transition.job_of(pod), pods=(pod,))
        for pod in made_by_jobs(transition, zombies)
    ]


def stop_sidecars(transition: Transition) -> list[StopAttempt]:
    """Stop the pods of closed attempts whose program has ended while injected sidecars still run.

    Such pods occupy requests and quota. They are stopped five seconds after the program ended.
    """
    stops = []
    alone = (
        pod
        for pod in transition.observed.unsettled_pods
        if pod.lives_on and not pod.deleting and transition.has_closed(pod)
    )
    for pod in made_by_jobs(transition, alone):
        due = (pod.finished_at or transition.now) + _SIDECARS_ALONE
        job = transition.observed.jobs.get(transition.job_of(pod))
        if transition.now < due:
            transition.requeue_at(due)
        elif job is None or not job.halted:  # by us: the pod may be gone, and its watch silent
            stops.append(StopAttempt(job=transition.job_of(pod), pods=(pod,)))
    return stops


def release_closed(transition: Transition) -> list[ReleasePod]:
    """Release the pods whose result this status checkpoints: their finalizer is removed.

    So are copies with the finalizer, whose result nobody reads.
    """
    held = [pod for pod in transition.observed.unsettled_pods if pod.held]
    own = {pod.uid for pod in made_by_jobs(transition, held)}
    return [
        ReleasePod(name=pod.name, uid=pod.uid)
        for pod in held
        if pod.uid not in own or transition.has_closed(pod)
    ]
