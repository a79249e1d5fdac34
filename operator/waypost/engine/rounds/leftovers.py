"""Pods of nodes that a round took out of the spec."""

from waypost.engine.state.decision import After, ReleasePod, StopAttempt
from waypost.engine.state.transition import Transition


def stop(transition: Transition) -> list[After]:
    """Pods of nodes that a round took out of the spec: stopped and let go."""
    strays: list[After] = []
    for pod in transition.observed.pods:
        # A pod of a later round is not known to this copy of the status yet.
        if transition.checkpoint_of(pod) or pod.round >= transition.observed.status.round:
            continue
        if not pod.over and not pod.deleting:
            strays.append(StopAttempt(job=transition.job_of(pod), pods=(pod,)))
        if pod.held:
            strays.append(ReleasePod(name=pod.name, uid=pod.uid))
    return strays
