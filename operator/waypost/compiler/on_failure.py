"""What a node's `onFailure` means for the nodes downstream of it, from the spec only."""

from waypost.api.workflow import Node


def tolerates(node: Node) -> bool:
    """Whether the run continues when this node fails."""
    return node.on_failure == "Continue"


def pauses(node: Node) -> bool:
    """Whether the run waits for a person when this node fails."""
    return node.on_failure == "Pause"


def has_fallback(node: Node) -> bool:
    """Whether fallbackOutput, which may be null, is the output of this node when it fails."""
    return tolerates(node) and "fallback_output" in node.model_fields_set
