"""Pods of nodes that a round removed from the spec, and of iterations of nodes that were loops."""

from waypost.api.checkpoints import is_left_over
from waypost.engine.state.decision import After, ReleasePod, StopAttempt
from waypost.engine.state.transition import Transition


def stop(transition: Transition) -> list[After]:
    """Stop and release the pods of what a round removed from the spec."""
    leftovers: list[After] = []
    nodes, current = list(transition.statuses.values()), transition.observed.status.round
    for pod in transition.observed.pods:
        # This copy of the status may be older than the pod.
        if not is_left_over(nodes, current, pod.path, pod.round):
            continue
        if not pod.over and not pod.deleting:
            leftovers.append(StopAttempt(job=transition.job_of(pod), pods=(pod,)))
        if pod.held:
            leftovers.append(ReleasePod(name=pod.name, uid=pod.uid))
    return leftovers
