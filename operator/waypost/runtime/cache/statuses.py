"""The statuses of runs as models. A checkpoint that has not changed keeps its model.

To read a checkpoint, to write it as JSON and to measure it costs far more than to compare it. So a
pass over a run of 200 nodes, of which two have changed, reads two.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.api.wire.write import to_wire
from waypost.kube import objects
from waypost.ports.cluster import Obj

_CHECKPOINTS: Final = 4_000  # of all runs together; a run has at most 200
_RUNS: Final = 200


@dataclass(frozen=True)
class _Known:
    version: str
    status: AgentWorkflowStatus


class Statuses:
    """The statuses that one operator process has read. For one event loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._checkpoints = 0

    def of(self, uid: str, body: Obj) -> AgentWorkflowStatus:
        """The status of a run.

        Args:
            uid: Of the run.
            body: The run. Nobody may change its status afterwards. Checkpoints in it may be
                replaced by equal ones.

        Raises:
            ValidationError: The status cannot be read. Only the operator writes it, and the CRD
                bounds it; but an unreadable one must not be taken for "nothing has run yet".
        """
        version = objects.text(objects.section(body, "metadata"), "resourceVersion")
        known = self._known.get(uid)
        if known is not None and version and known.version == version:
            self._known.move_to_end(uid)
            return known.status
        raw = objects.section(body, "status")
        if known is not None:
            raw = _with_known(raw, known.status.nodes)
        status = AgentWorkflowStatus.model_validate(raw)
        self._keep(uid, _Known(version, status))
        return status

    def forget(self, uid: str) -> None:
        """Drop the status of a run that no longer exists."""
        known = self._known.pop(uid, None)
        if known is not None:
            self._checkpoints -= len(known.status.nodes)

    def _keep(self, uid: str, known: _Known) -> None:
        self.forget(uid)
        if known.status.finished_at is not None:
            return  # its passes are few
        self._known[uid] = known
        self._checkpoints += len(known.status.nodes)
        while self._checkpoints > _CHECKPOINTS or len(self._known) > _RUNS:
            self.forget(next(iter(self._known)))


def _with_known(raw: Obj, nodes: list[NodeStatus]) -> Obj:
    """`raw` with the models of the checkpoints that have not changed in the place of their JSON."""
    listed = raw.get("nodes")
    if not isinstance(listed, list):
        return raw
    by_path = {node.path: node for node in nodes}
    found = [_known_or_raw(entry, by_path) for entry in listed]
    for index, known in enumerate(found):
        if isinstance(known, NodeStatus):
            listed[index] = to_wire(known)  # equal, and the next patch need not compare it again
    return {**raw, "nodes": found}


def _known_or_raw(entry: Any, by_path: dict[str, NodeStatus]) -> Any:
    """The model of a checkpoint if its JSON is exactly what the model is written as: with a field
    that this release does not read, it is not."""
    known = by_path.get(entry["path"]) if _has_path(entry) else None
    return known if known is not None and to_wire(known) == entry else entry


def _has_path(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("path"), str)
