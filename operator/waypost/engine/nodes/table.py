"""What the engine does for each kind of node."""

from typing import Final

from waypost.api.kinds.table import kind_of
from waypost.api.status import NodeStatus
from waypost.api.workflow import Node
from waypost.engine.nodes import (
    agent,
    approval,
    container,
    event,
    first,
    http,
    python,
    wait,
    workflow,
)
from waypost.engine.nodes.kind import EngineKind

KINDS: Final[dict[str, EngineKind]] = {
    kind.name: kind
    for kind in (
        python.KIND,
        container.KIND,
        agent.KIND,
        http.KIND,
        approval.KIND,
        wait.KIND,
        event.KIND,
        workflow.KIND,
        first.KIND,
    )
}


def engine_kind(node: Node) -> EngineKind:
    """What the engine does for the kind of an accepted node."""
    return KINDS[kind_of(node).name]


def watching_kind(node: Node, status: NodeStatus) -> EngineKind:
    """The kind that watches what a node without an open attempt has started: its own, unless a
    round has made it a node of another kind before what it had started was stopped."""
    found = (kind for kind in KINDS.values() if kind.is_superseded(status))
    return next(found, engine_kind(node))
