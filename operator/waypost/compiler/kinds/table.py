"""What the compiler knows of each kind of node."""

from typing import Final

from waypost.api.kinds.table import kind_of
from waypost.api.workflow import Node
from waypost.compiler.kinds import (
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
from waypost.compiler.kinds.kind import CompilerKind

KINDS: Final[dict[str, CompilerKind]] = {
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


def compiler_kind(node: Node) -> CompilerKind:
    """What the compiler knows of the kind of an accepted node."""
    return KINDS[kind_of(node).name]
