"""Nodes in a stored status that the definition of the run does not have.

The operator writes none. A backup that was restored with another spec has them, a person who
edited the status, or a release with other paths. The API server refuses a status without a
node that it had, so they are kept; they end, and nothing is done for them.
"""

from typing import Final

from waypost.api.changes import changed_node
from waypost.api.status import FINAL_PHASES, NodeStatus
from waypost.engine.state.transition import Transition
from waypost.kube import timestamps
from waypost.protocol.reasons import Reason

_TEXT: Final = "the definition of the run has no node with this path"


def kept(transition: Transition) -> list[NodeStatus]:
    """The nodes that only the stored status has, as they are written again."""
    known = transition.graph.nodes
    stored = (status for status in transition.observed.status.nodes if status.path not in known)
    return [_ended(transition, status) for status in stored]


def _ended(transition: Transition, status: NodeStatus) -> NodeStatus:
    if status.phase in FINAL_PHASES:
        return status
    return changed_node(
        status,
        phase="Cancelled",
        reason=str(Reason.CANCELLED),
        message=_TEXT,
        finished_at=timestamps.timestamp(transition.now),
    )
