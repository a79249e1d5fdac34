"""Whether a node may start: its dependencies and its condition (semantics.md, "Joins")."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from waypost.api.status import NodeStatus
from waypost.api.workflow import Node
from waypost.compiler import on_failure
from waypost.engine.scheduling import undo_order
from waypost.engine.scheduling.inputs import context_for
from waypost.engine.state import visible
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.transition import Transition
from waypost.expressions.templates import RenderError, render_condition
from waypost.protocol.reasons import Reason


class _State(Enum):
    WAIT = "wait"
    READY = "ready"


WAIT: Final = _State.WAIT
READY: Final = _State.READY


@dataclass(frozen=True)
class Skip:
    """The node will never run, and why."""

    reason: Reason
    message: str


Join = _State | Skip


def judge(transition: Transition, path: str) -> Join:
    """Whether a node waits, is ready or is skipped, from the phases of its dependencies.

    A hard dependency that ended without an output skips the node immediately; otherwise all
    dependencies must have ended. A dependency that failed with `onFailure: Pause` does not count as
    ended, because a person may run it again (S42). In finally it counts as ended: the run has been
    cancelled, or its deadline has passed. Compensations wait for each other.
    """
    if path in transition.graph.compensations:
        return READY if undo_order.next_path(transition) == path else WAIT
    if is_far(transition, path):
        return WAIT
    dependencies = transition.graph.dependencies[path]
    for name in sorted(dependencies.hard):
        skip = _blocks(name, transition.node(name), transition.statuses[name])
        if skip is not None:
            return skip
    if not dependencies.joined <= transition.statuses.ended:
        return WAIT
    return READY if all(_has_ended(transition, name) for name in dependencies.joined) else WAIT


def is_far(transition: Transition, path: str) -> bool:
    """Whether nothing has ended that a node waits for, as for most nodes of a long chain."""
    joined = transition.graph.dependencies[path].joined
    is_compensation = path in transition.graph.compensations
    return bool(joined) and not is_compensation and joined.isdisjoint(transition.statuses.ended)


def _has_ended(transition: Transition, name: str) -> bool:
    paused = transition.statuses[name].phase == "Failed" and on_failure.pauses(
        transition.node(name)
    )
    return transition.ended(name) and (transition.cleans_up or not paused)


def _blocks(name: str, node: Node, status: NodeStatus) -> Skip | None:
    if visible.has_output(node, status):
        return None
    if status.phase == "Failed" and not on_failure.pauses(node):
        return Skip(Reason.DEPENDENCY_FAILED, f"{name} failed: {status.reason}")
    if status.phase in ("Skipped", "Cancelled"):
        return Skip(Reason.DEPENDENCY_SKIPPED, f"{name} was {status.phase.lower()}")
    return None


def condition(transition: Transition, path: str) -> bool | Invalid:
    """The value of the node's `when`; Invalid unless it is true or false (S33)."""
    text = transition.node(path).when
    if text is None:
        return True
    opened = render_condition(text, context_for(transition, path))
    return Invalid(f"when: {opened.message}") if isinstance(opened, RenderError) else opened
