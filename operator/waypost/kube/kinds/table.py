"""What the pod of each kind has of its own, found by a node."""

from typing import Final

from waypost.api.kinds.table import kind_of
from waypost.api.workflow import Node
from waypost.kube.kinds import agent, container, http, python
from waypost.kube.kinds.kind import PodKind

KINDS: Final[dict[str, PodKind]] = {
    kind.name: kind for kind in (python.KIND, container.KIND, agent.KIND, http.KIND)
}


def pod_kind(node: Node) -> PodKind:
    """What the pod of an accepted node has of its own. KeyError for a kind without a pod."""
    return KINDS[kind_of(node).name]
