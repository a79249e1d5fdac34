"""What is said when a round begins."""

from waypost.api.status import AgentWorkflowStatus


def round_message(status: AgentWorkflowStatus) -> str:
    """A sentence on what a round does, for an Event."""
    counts: dict[str, int] = {}
    for node in status.nodes:
        if node.disposition:
            counts[node.disposition] = counts.get(node.disposition, 0) + 1
    listed = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"round {status.round} begins: {listed or 'the run had not begun before'}"
