"""What a node's `onFailure` means for its dependants, from the spec alone."""

from waypost.api.workflow import Node


def tolerates(node: Node) -> bool:
    """Whether the graph goes on when this node fails."""
    return node.on_failure == "Continue"


def pauses(node: Node) -> bool:
    """Whether the run waits for a person when this node fails."""
    return node.on_failure == "Pause"


def has_fallback(node: Node) -> bool:
    """Whether dependants run on fallbackOutput when this node fails (null counts)."""
    return tolerates(node) and "fallback_output" in node.model_fields_set
