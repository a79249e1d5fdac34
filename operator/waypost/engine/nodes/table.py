"""What the engine does for each kind of node."""

from typing import Final

from waypost.api.kinds.table import kind_of
from waypost.api.workflow import Node
from waypost.engine.nodes import agent, approval, container, first, http, python, wait, workflow
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
        workflow.KIND,
        first.KIND,
    )
}


def engine_kind(node: Node) -> EngineKind:
    """What the engine does for the kind of an accepted node."""
    return KINDS[kind_of(node).name]
