"""The conditional status write: the smallest JSON Patch, fenced by resourceVersion.

A JSON Patch (RFC 6902), because a merge patch drops nulls inside outputs; and one operation per
node that changed, because the status may have a megabyte and is written many times.
"""

from collections.abc import Mapping
from typing import Any

from waypost.api.base import StatusModel
from waypost.api.status import AgentWorkflowStatus
from waypost.api.wire.write import to_wire


def status_patch(
    *, body: Mapping[str, Any], resource_version: str, status: StatusModel
) -> list[dict[str, Any]]:
    """A JSON Patch that turns the status in `body` into `status`.

    Args:
        body: The object as it was read; with an empty one, the whole status is replaced.
        resource_version: Of the object. The API server answers 409 when it is stale.
        status: The status to write.

    Returns:
        The operations. The first one is the fence; it is the only one when nothing changed.
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
    """Compares entries by index, for the engine keeps their order."""
    operations = [
        {"op": "replace", "path": f"{place}/{index}", "value": entry}
        for index, entry in enumerate(new[: len(old)])
        if entry is not old[index] and entry != old[index]
    ]
    operations += [{"op": "add", "path": f"{place}/-", "value": entry} for entry in new[len(old) :]]
    operations += [
        {"op": "remove", "path": f"{place}/{index}"}
        for index in range(len(old) - 1, len(new) - 1, -1)
    ]
    return operations
