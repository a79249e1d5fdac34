"""Which node a path belongs to, and how the records of an attempt name it."""

from waypost.api.checkpoints import path_of
from waypost.api.paths import NodePath, parse_path
from waypost.api.status import NodeStatus
from waypost.engine.state.observed import Observed
from waypost.kube.payloads import AttemptRef


def node_of(path: str) -> str:
    """The name of the node, or the path of the compensation, that a path belongs to."""
    return parse_path(path).entry if "/" in path else path


def attempt_ref(observed: Observed, status: NodeStatus, number: int) -> AttemptRef:
    """An attempt of a node as its NodeRecords name it; one that the status does not list yet is of
    the current iteration."""
    listed = (a for a in status.attempts or [] if a.number == number)
    attempt = next(listed, None)
    round_ = (attempt.round if attempt else status.round) or 1
    path = path_of(status.path, attempt) if attempt else iteration_path(status)
    return AttemptRef(observed.name, observed.uid, path, round_, number)


def iteration_path(status: NodeStatus) -> str:
    """The path of the next attempt of a node: that of its current iteration if it is repeated."""
    return str(NodePath(status.path, status.loop.number)) if status.loop else status.path
