"""Whether a node may start: its dependencies and its condition (semantics.md, "Joins")."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from waypost.api.status import NodeStatus
from waypost.api.workflow import Node
from waypost.engine import scope
from waypost.engine.draft import Draft
from waypost.engine.inputs import Invalid, scope_of
from waypost.engine.templates import RenderError, render_condition
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


def judge(draft: Draft, path: str) -> Join:
    """WAIT, READY or Skip, from the phases of the nodes this one waits for.

    A hard dependency that gave no output skips the node as soon as it is known; otherwise all
    dependencies must have ended. One that failed with onFailure: Pause is waited for, hard or soft:
    a person may yet have it run again (S42).
    """
    edges = draft.graph.edges[path]
    for name in sorted(edges.hard):
        skip = _blocks(name, draft.node(name), draft.statuses[name])
        if skip is not None:
            return skip
    return READY if all(_settled(draft, name) for name in edges.all) else WAIT


def _settled(draft: Draft, name: str) -> bool:
    paused = draft.statuses[name].phase == "Failed" and scope.pauses(draft.node(name))
    return draft.ended(name) and not paused


def _blocks(name: str, node: Node, status: NodeStatus) -> Skip | None:
    if scope.has_output(node, status):
        return None
    if status.phase == "Failed" and not scope.pauses(node):
        return Skip(Reason.DEPENDENCY_FAILED, f"{name} failed: {status.reason}")
    if status.phase in ("Skipped", "Cancelled"):
        return Skip(Reason.DEPENDENCY_SKIPPED, f"{name} was {status.phase.lower()}")
    return None


def condition(draft: Draft, path: str) -> bool | Invalid:
    """The node's `when`: exactly true or exactly false; anything else is Invalid (S33)."""
    text = draft.node(path).when
    if text is None:
        return True
    opened = render_condition(text, scope_of(draft, path))
    return Invalid(f"when: {opened.message}") if isinstance(opened, RenderError) else opened
