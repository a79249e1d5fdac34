"""What is specific to the pod of each kind of node."""

from typing import Final

from waypost.api.kinds.table import kind_of
from waypost.api.workflow import Node
from waypost.kube.kinds import agent, container, http, python
from waypost.kube.kinds.kind import PodKind

KINDS: Final[dict[str, PodKind]] = {
    kind.name: kind for kind in (python.KIND, container.KIND, agent.KIND, http.KIND)
}


def pod_kind(node: Node) -> PodKind:
    """What is specific to the pod of an accepted node.

    Raises:
        KeyError: Nodes of this kind have no pod.
    """
    return KINDS[kind_of(node).name]
