"""Why nothing new may start in a run."""

from waypost.compiler import on_failure
from waypost.engine.run import pausing
from waypost.engine.scheduling import deadlines
from waypost.engine.state.transition import Transition
from waypost.protocol.reasons import Reason


def closing_reason(transition: Transition) -> Reason | None:
    """Why nothing new may start in this stage: the run was cancelled, its deadline has passed, or a
    node failed with `onFailure: Fail`; None if nodes may start.

    In finally, a failure keeps no other node from starting: each of them cleans up something else.
    """
    if transition.is_cancelled:
        return Reason.CANCELLED
    if deadlines.run_over(transition) and _is_cut_short(transition):
        return Reason.DEADLINE_EXCEEDED
    if transition.finalizing:
        return None
    for path in transition.of_stage("Failed"):
        node = transition.node(path)
        if not on_failure.tolerates(node) and not on_failure.pauses(node):
            return Reason.DEPENDENCY_FAILED
    return None


def _is_cut_short(transition: Transition) -> bool:
    """Whether the deadline ends anything: not if all nodes of the stage had ended before."""
    undone = any(not transition.ended(path) for path in transition.of_stage())
    return undone or bool(transition.of_stage("Cancelled")) or bool(pausing.paused(transition))
