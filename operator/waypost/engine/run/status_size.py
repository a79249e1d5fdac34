"""The size of a status: each write of it is a complete copy in etcd and in every watch.

Outputs have their own limits (`state/transition`). Attempts and texts grow with the run: of too
many, the least useful are removed first. Phases, reasons, digests and the last attempt always stay.
"""

from collections.abc import Callable
from typing import Final

from waypost.api.base import StatusModel
from waypost.api.changes import changed_attempt, changed_node, changed_run
from waypost.api.status import AgentWorkflowStatus, AttemptStatus, NodeStatus
from waypost.api.wire.memo import Memo
from waypost.protocol.text import shorten

STATUS_LIMIT: Final = 256 * 1024
_TAIL: Final = 1024
_SHORT: Final = 160
_SHORTEST: Final = 60


def trim(status: AgentWorkflowStatus) -> AgentWorkflowStatus:
    """`status` without the least useful attempts and texts, so that it meets the limit.

    Idempotent: a trimmed status does not change.
    """
    for reduce in _STEPS:
        if _size_of(status) <= STATUS_LIMIT:
            break
        status = changed_run(status, nodes=[reduce(node) for node in status.nodes])
    return status


def _size(status: AgentWorkflowStatus) -> int:
    """Bytes of a status as compact JSON. Checkpoints that were measured before are not written
    again."""
    nodes = status.nodes
    alone = _json_size(changed_run(status, nodes=[]))
    return alone + sum(map(_node_size, nodes)) + max(len(nodes) - 1, 0)  # with commas


_size_of: Final[Memo[AgentWorkflowStatus, int]] = Memo(_size)


def _json_size(status: StatusModel) -> int:
    return len(status.model_dump_json(by_alias=True, exclude_none=True).encode())


_node_size: Final[Memo[NodeStatus, int]] = Memo(_json_size)


def _shorter_tails(node: NodeStatus) -> NodeStatus:
    return changed_node(node, tail=node.tail and node.tail[-_TAIL:])


def _without_messages(node: NodeStatus) -> NodeStatus:
    # The node's own message is that of the last attempt.
    return _with_attempts(node, [changed_attempt(a, message=None) for a in _attempts(node)])


def _first_and_last_attempt(node: NodeStatus) -> NodeStatus:
    attempts = _attempts(node)
    return _with_attempts(node, [attempts[0], attempts[-1]]) if len(attempts) > 2 else node


def _short_texts(node: NodeStatus) -> NodeStatus:
    return changed_node(
        node,
        tail=node.tail and node.tail[-_SHORT:],
        message=node.message and shorten(node.message, _SHORT),
    )


def _last_attempt(node: NodeStatus) -> NodeStatus:
    return _with_attempts(node, _attempts(node)[-1:])


def _shortest_texts(node: NodeStatus) -> NodeStatus:
    short = node.message and shorten(node.message, _SHORTEST)
    return changed_node(node, tail=None, message=short)


_STEPS: Final[tuple[Callable[[NodeStatus], NodeStatus], ...]] = (
    _shorter_tails,
    _without_messages,
    _first_and_last_attempt,
    _short_texts,
    _last_attempt,
    _shortest_texts,
)


def _attempts(node: NodeStatus) -> list[AttemptStatus]:
    return node.attempts or []


def _with_attempts(node: NodeStatus, attempts: list[AttemptStatus]) -> NodeStatus:
    return changed_node(node, attempts=attempts or None)
