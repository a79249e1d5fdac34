"""managedFields, as coarse as the operator reads them: who wrote which field of spec or status
last, and when."""

from typing import Any

from waypost.ports.cluster import Obj

_SECTIONS = ("spec", "status", "data")


def stamped(*, old: Obj | None, new: Obj, manager: str, subresource: str, time: str) -> list[Obj]:
    """managedFields after `manager` turned `old` into `new` (a change, or a creation)."""
    entries: list[Obj] = list((old or {}).get("metadata", {}).get("managedFields", []))
    changed = _changed(old or {}, new)
    if not changed:
        return entries
    kept = []
    mine: dict[str, Any] = {}
    for entry in entries:
        owned = entry["fieldsV1"]
        if entry["manager"] == manager and entry.get("subresource", "") == subresource:
            mine = owned
            continue
        rest = _without(owned, changed)
        if rest:
            kept.append({**entry, "fieldsV1": rest})
    entry = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": new["apiVersion"],
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": _united(mine, changed),
    }
    return [*kept, {**entry, "subresource": subresource} if subresource else entry]


def _changed(old: Obj, new: Obj) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for section in _SECTIONS:
        before, after = old.get(section) or {}, new.get(section) or {}
        keys = [key for key in after if key not in before or after[key] != before[key]]
        if keys:
            fields[f"f:{section}"] = {f"f:{key}": {} for key in sorted(keys)}
    return fields


def _without(owned: dict[str, Any], taken: dict[str, Any]) -> dict[str, Any]:
    rest: dict[str, dict[str, Any]] = {
        section: {key: {} for key in keys if key not in taken.get(section, {})}
        for section, keys in owned.items()
    }
    return {section: keys for section, keys in rest.items() if keys}


def _united(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return {
        section: {**left.get(section, {}), **right.get(section, {})}
        for section in [*left, *(s for s in right if s not in left)]
    }
