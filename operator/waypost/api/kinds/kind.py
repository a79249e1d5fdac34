"""The properties of a kind of node that all layers use."""

from dataclasses import dataclass

from waypost.api.base import Model


@dataclass(frozen=True)
class NodeKind:
    """One kind of node.

    Attributes:
        name: The field of a node that selects the kind, and the name of its module in each layer.
        model: The model of that field.
        has_pod: Whether attempts of the node run in pods.
        is_gate: Whether the node asks people, so that only they can give its output.
        has_journal: Whether attempts of the node continue a journal, which the gateway keeps.
    """

    name: str
    model: type[Model]
    has_pod: bool = True
    is_gate: bool = False
    has_journal: bool = False
