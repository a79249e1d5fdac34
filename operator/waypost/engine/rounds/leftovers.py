"""Pods of nodes that a round took out of the spec."""

from waypost.engine.state.decision import After, ReleasePod, StopAttempt
from waypost.engine.state.transition import Transition


def stop(draft: Transition) -> list[After]:
    """Pods of nodes that a round took out of the spec: stopped and let go."""
    strays: list[After] = []
    for pod in draft.observed.pods:
        # A pod of a later round is not known to this copy of the status yet.
        if pod.path in draft.statuses or pod.round >= draft.observed.status.round:
            continue
        if not pod.over and not pod.deleting:
            strays.append(StopAttempt(job=draft.job_of(pod), pods=(pod,)))
        if pod.held:
            strays.append(ReleasePod(name=pod.name, uid=pod.uid))
    return strays
