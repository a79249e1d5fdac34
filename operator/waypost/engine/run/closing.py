"""Why nothing new may start in a run."""

from typing import Final

from waypost.api.items.states import ENDED, parsed_states
from waypost.compiler import on_failure
from waypost.engine.run import pausing
from waypost.engine.scheduling import deadlines
from waypost.engine.state.transition import Transition
from waypost.protocol.reasons import Reason

_NOT_SUCCEEDED: Final = ENDED - {"S"}


def closing_reason(transition: Transition) -> Reason | None:
    """Why nothing new may start in this stage: the run was cancelled, its deadline has passed, it
    does not begin for its `concurrency`, or a node failed with `onFailure: Fail`; None if nodes may
    start.

    In finally, a failure keeps no other node from starting: each of them cleans up something else.
    The same is true of compensations.
    """
    if transition.is_cancelled:
        return Reason.CANCELLED
    if transition.slots.refusal is not None:
        return transition.slots.refusal[0]
    if deadlines.run_over(transition) and _is_cut_short(transition):
        return Reason.DEADLINE_EXCEEDED
    if transition.cleans_up:
        return None
    for path in failing(transition):
        node = transition.node(path)
        if not on_failure.tolerates(node) and not on_failure.pauses(node):
            return Reason.DEPENDENCY_FAILED
    return None


def failing(transition: Transition) -> list[str]:
    """The nodes that have failed, and the maps that will fail once no item is running."""
    doomed = [path for path in transition.of_stage("Running") if _will_fail(transition, path)]
    return [*transition.of_stage("Failed"), *doomed]


def failures_before(transition: Transition) -> dict[str, set[str]]:
    """The nodes that have to wait for a failure, with the nodes that failed.

    A node that has ended or runs passes no failure on: what follows it has its result. So has what
    follows a choice that was made before another candidate could start, or a node with `effect:
    once` whose result a round has kept.
    """
    failed = {p for p in failing(transition) if not on_failure.tolerates(transition.node(p))}
    causes: dict[str, set[str]] = {}
    for path in transition.graph.order:
        if path in transition.graph.finally_nodes or not _waits(transition, path):
            continue
        found: set[str] = set()
        for name in transition.graph.dependencies[path].all:
            found |= {name} if name in failed else causes.get(name, set())
        if found:
            causes[path] = found
    return causes


def _waits(transition: Transition, path: str) -> bool:
    """Whether a node has not had its turn, or lost it to a failure."""
    status = transition.statuses[path]
    lost = status.phase == "Skipped" and status.reason == Reason.DEPENDENCY_FAILED
    return lost or status.phase in ("Pending", "Superseding")


def _will_fail(transition: Transition, path: str) -> bool:
    opened, items = transition.maps.get(path), transition.statuses[path].items
    reason = opened.doomed if opened is not None else items and items.doomed
    if reason in (None, Reason.CANCELLED, Reason.NOT_CHOSEN):
        return False
    if reason in (Reason.ITEMS_FAILED, Reason.OUTPUT_TOO_LARGE):
        return True
    # The items that are being stopped may still succeed, and the map with them (S180).
    if opened is not None:
        return opened.count(_NOT_SUCCEEDED) > 0
    states = parsed_states((items and items.states) or "")
    return any(state.letter in _NOT_SUCCEEDED for state in states)


def _is_cut_short(transition: Transition) -> bool:
    """Whether the deadline ends anything: not if all nodes of the stage had ended before."""
    undone = any(not transition.ended(path) for path in transition.of_stage())
    stopped = [
        path
        for path in transition.of_stage("Cancelled")
        if transition.statuses[path].reason != Reason.NOT_CHOSEN
    ]
    return undone or bool(stopped) or bool(pausing.paused(transition))
