"""Pods of nodes that a round removed from the spec, and of iterations of nodes that were loops."""

from waypost.api.checkpoints import is_left_over
from waypost.engine.attempts import cleanup
from waypost.engine.state.decision import After, ReleasePod, StopAttempt
from waypost.engine.state.transition import Transition


def stop(transition: Transition) -> list[After]:
    """Stop and release the pods of what a round removed from the spec."""
    nodes, current = transition.statuses, transition.observed.status.round
    # This copy of the status may be older than the pod.
    found = [
        pod
        for pod in transition.observed.unsettled_pods
        if (pod.held or not pod.over) and is_left_over(nodes, current, pod.path, pod.round)
    ]
    running = (pod for pod in found if not pod.over and not pod.deleting)
    stops: list[After] = [
        StopAttempt(job=transition.job_of(pod), pods=(pod,))
        for pod in cleanup.made_by_jobs(transition, running)
    ]
    return [*stops, *(ReleasePod(name=pod.name, uid=pod.uid) for pod in found if pod.held)]
