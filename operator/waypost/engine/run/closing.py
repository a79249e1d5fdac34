"""Why nothing new may start in a run."""

from waypost.compiler import on_failure
from waypost.engine.run import pausing
from waypost.engine.scheduling import deadlines
from waypost.engine.state.transition import Transition
from waypost.protocol.reasons import Reason


def closing_reason(transition: Transition) -> Reason | None:
    """Why nothing new may start: the run was cancelled, its deadline has passed, or a node failed
    with `onFailure: Fail`; None if nodes may start."""
    if transition.spec.cancel or transition.observed.status.cancelled_at:
        return Reason.CANCELLED
    if deadlines.run_over(transition) and _is_cut_short(transition):
        return Reason.DEADLINE_EXCEEDED
    for path in transition.in_phase("Failed"):
        node = transition.node(path)
        if not on_failure.tolerates(node) and not on_failure.pauses(node):
            return Reason.DEPENDENCY_FAILED
    return None


def _is_cut_short(transition: Transition) -> bool:
    """Whether the run's deadline ends anything: not if all nodes had ended before."""
    undone = any(not transition.ended(path) for path in transition.graph.order)
    return undone or bool(transition.in_phase("Cancelled")) or bool(pausing.paused(transition))
