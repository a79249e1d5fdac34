"""What is stored of the items of a map: states, list and results, in the status or in NodeRecords.

The list is the content that `engine.items.begin` writes: `items`, `identities` and more. The ends
of items are in blocks; a block may name earlier ones.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from waypost.api.base import JsonValue
from waypost.api.items.status import ItemsStatus


def all_blocks(named: Iterable[str], payloads: Mapping[str, JsonValue]) -> list[str]:
    """The names of all blocks of a map, as far as they are known.

    Args:
        named: The names in the status, or in the NodeRecord of a map that has ended.
        payloads: The NodeRecords that were loaded, by name. Those that a block names are only
            known once it was loaded.
    """
    found, left = dict[str, None](), list(named)
    while left:
        name = left.pop()
        block = payloads.get(name)
        if name not in found and isinstance(block, dict):
            left += block.get("earlier") or ()
        found[name] = None
    return list(found)


def stored(items: ItemsStatus, payloads: Mapping[str, JsonValue]) -> Mapping[str, Any]:
    """`list`, `states`, `blocks` and `results` of a map, from its status or from the NodeRecord
    that was written at its end; empty if that is gone.

    Raises:
        KeyError: The NodeRecord was not loaded.
    """
    if items.sealed is not None:
        return as_object(payloads[items.sealed])
    return {
        "list": items.list_record,
        "states": items.states,
        "blocks": items.blocks,
        "results": items.fresh,
    }


def list_of(found: Mapping[str, Any], payloads: Mapping[str, JsonValue]) -> Mapping[str, Any]:
    """The stored list with the identities of its items; empty if there is none."""
    return as_object(payloads[found["list"]]) if found.get("list") else {}


def ends_of(found: Mapping[str, Any], payloads: Mapping[str, JsonValue]) -> dict[str, Any]:
    """The ends of the items of a list, by index."""
    ends: dict[str, Any] = dict(found.get("results") or {})
    for name in all_blocks(found.get("blocks") or (), payloads):
        ends |= as_object(payloads[name]).get("results") or {}
    return ends


def records_of_list(items: ItemsStatus, payloads: Mapping[str, JsonValue]) -> set[str]:
    """The names of the NodeRecords with states and list, as far as they are known."""
    if items.sealed is not None and items.sealed not in payloads:
        return {items.sealed}
    name = stored(items, payloads).get("list")
    return {*([items.sealed] if items.sealed else ()), *([str(name)] if name else ())}


def records_of_item(items: ItemsStatus, payloads: Mapping[str, JsonValue], index: int) -> set[str]:
    """The names of the NodeRecords with the list and with the result of one item, as far as they
    are known; once all of them were loaded, no other one is named."""
    needed, found = records_of_ends(items, payloads)
    return needed if found is None else needed | results_of(found, payloads, (index,))


def records_of_ends(
    items: ItemsStatus, payloads: Mapping[str, JsonValue]
) -> tuple[set[str], Mapping[str, Any] | None]:
    """The names of the NodeRecords with the list and the ends of its items, as far as they are
    known, and what is stored of the map once all of them were loaded."""
    needed = records_of_list(items, payloads)
    if not needed <= payloads.keys():
        return needed, None
    found = stored(items, payloads)
    needed |= {*all_blocks(found.get("blocks") or (), payloads)}
    return needed, found if needed <= payloads.keys() else None


def results_of(
    found: Mapping[str, Any], payloads: Mapping[str, JsonValue], indexes: Iterable[int]
) -> set[str]:
    """The names of the NodeRecords with the results of these items; `found` is what is stored of
    the map, and all its ends were loaded."""
    ends = ends_of(found, payloads)
    kept = (ends.get(str(index)) or {} for index in indexes)
    return {str(end["r"]) for end in kept if "r" in end}


def as_object(value: JsonValue) -> Mapping[str, Any]:
    """A stored object; empty for an Unavailable."""
    return value if isinstance(value, dict) else {}
