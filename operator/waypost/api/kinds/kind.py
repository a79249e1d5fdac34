"""What a kind of node is, whatever layer asks."""

from dataclasses import dataclass

from waypost.api.base import Model


@dataclass(frozen=True)
class NodeKind:
    """One kind of node.

    Attributes:
        name: The field of a node that selects the kind, and the name of its module in each layer.
        model: The model of that field.
        has_pod: An attempt of the node runs in a pod.
        is_gate: The node asks people, and only they can answer for it.
    """

    name: str
    model: type[Model]
    has_pod: bool = True
    is_gate: bool = False
