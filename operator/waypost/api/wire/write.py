"""A status as the JSON that is written of it."""

from typing import Any, Final

from waypost.api.base import StatusModel
from waypost.api.status import NodeStatus
from waypost.api.wire.memo import Memo


def to_wire(status: StatusModel) -> dict[str, Any]:
    """A status model as JSON: camelCase keys, no fields that are None, but nulls inside outputs.

    Nobody may change it: it shares its values with the model.
    """
    if isinstance(status, NodeStatus):
        return _node_wire(status)
    return _wire(status)


def _wire(status: StatusModel) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    for name, info in type(status).model_fields.items():
        value = getattr(status, name)
        if value is None:
            continue
        key = info.alias or name
        if isinstance(value, StatusModel):
            wire[key] = to_wire(value)
        elif isinstance(value, list) and value and isinstance(value[0], StatusModel):
            wire[key] = [to_wire(item) for item in value]
        else:
            wire[key] = value
    return wire


# Of the checkpoints of a run most have not changed since its last pass.
_node_wire: Final[Memo[NodeStatus, dict[str, Any]]] = Memo(_wire)
