"""The kinds of node by name. A new kind is a module in each layer and a line here."""

from typing import Any, Final

from waypost.api.kinds import (
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
from waypost.api.kinds.kind import NodeKind

KINDS: Final[dict[str, NodeKind]] = {
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


def kinds_with_pod() -> tuple[str, ...]:
    """The names of the kinds whose attempts are pods."""
    return tuple(name for name, kind in KINDS.items() if kind.has_pod)


def has_one_kind(node: object) -> bool:
    """Whether exactly one of the fields among the kinds is set, as in every accepted node."""
    return sum(getattr(node, name, None) is not None for name in KINDS) == 1


def kind_of(node: object) -> NodeKind:
    """The kind of an accepted node: the one field among the kinds that is set."""
    return next(kind for name, kind in KINDS.items() if getattr(node, name, None) is not None)


def work_of(node: object) -> Any:
    """The block of an accepted node for its kind: `node.python`, `node.http`, ..."""
    return getattr(node, kind_of(node).name)
