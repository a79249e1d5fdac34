"""Pods of nodes that a round removed from the spec."""

from waypost.engine.state.decision import After, ReleasePod, StopAttempt
from waypost.engine.state.transition import Transition


def stop(transition: Transition) -> list[After]:
    """Stop and release the pods of nodes that a round removed from the spec."""
    leftovers: list[After] = []
    for pod in transition.observed.pods:
        # This copy of the status may be older than a pod of a later round.
        if transition.checkpoint_of(pod) or pod.round >= transition.observed.status.round:
            continue
        if not pod.over and not pod.deleting:
            leftovers.append(StopAttempt(job=transition.job_of(pod), pods=(pod,)))
        if pod.held:
            leftovers.append(ReleasePod(name=pod.name, uid=pod.uid))
    return leftovers
