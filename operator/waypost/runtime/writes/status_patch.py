"""The conditional status write: the smallest JSON Patch, fenced by resourceVersion.

JSON Patch because a merge patch drops nulls inside outputs; per node entry because a run's status
is rewritten many times and every write is a whole watch event (B3, C1).
"""

from collections.abc import Mapping
from typing import Any

from waypost.api.base import StatusModel
from waypost.api.status import AgentWorkflowStatus


def to_wire(status: StatusModel) -> dict[str, Any]:
    """A status model as JSON: camelCase, absent fields left out, nulls inside outputs kept."""
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


def status_patch(
    *, body: Mapping[str, Any], resource_version: str, status: StatusModel
) -> list[dict[str, Any]]:
    """Operations that turn the status in `body` into `status`; only the fence when equal. With
    an empty `body` the whole status is put in place of whatever is there.

    The first operation makes the API server answer 409 when `resource_version` is stale.
    """
    fence = {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version}
    new = to_wire(status)
    old = body.get("status")
    if not isinstance(old, dict) or not old:
        return [fence, {"op": "add", "path": "/status", "value": new}]
    operations: list[dict[str, Any]] = [fence]
    for key in sorted(old.keys() | new.keys()):
        place = f"/status/{key}"
        if key not in new:
            operations.append({"op": "remove", "path": place})
        elif key not in old:
            operations.append({"op": "add", "path": place, "value": new[key]})
        elif key == "nodes" and isinstance(status, AgentWorkflowStatus):
            operations.extend(_entries(place, old[key], new[key]))
        elif old[key] != new[key]:
            operations.append({"op": "replace", "path": place, "value": new[key]})
    return operations


def _entries(place: str, old: list[Any], new: list[Any]) -> list[dict[str, Any]]:
    """Entries are compared by index: the engine keeps the order of the spec."""
    operations = [
        {"op": "replace", "path": f"{place}/{index}", "value": entry}
        for index, entry in enumerate(new[: len(old)])
        if entry != old[index]
    ]
    operations += [{"op": "add", "path": f"{place}/-", "value": entry} for entry in new[len(old) :]]
    operations += [
        {"op": "remove", "path": f"{place}/{index}"}
        for index in range(len(old) - 1, len(new) - 1, -1)
    ]
    return operations
