"""What the items of an earlier list leave to the next one: results by identity."""

from collections import Counter
from collections.abc import Mapping

from waypost.api.base import JsonObject, JsonValue
from waypost.api.items.states import parse_states
from waypost.api.items.status import ItemsStatus
from waypost.kube.items.marks import counts_of
from waypost.kube.items.stored import all_blocks, ends_of, list_of, stored


def records_to_read(items: ItemsStatus, payloads: Mapping[str, JsonValue]) -> set[str]:
    """The names of the NodeRecords that `results_by_identity` reads, as far as they are known."""
    if items.sealed is not None and items.sealed not in payloads:
        return {items.sealed}
    found = stored(items, payloads)
    blocks = all_blocks(found.get("blocks") or (), payloads)
    return {*blocks, *([found["list"]] if found.get("list") else ())}


def is_read(items: ItemsStatus) -> bool:
    """Whether the next list needs something of this one: results, child runs, or how often items
    were named."""
    return bool(items.reusable or items.continues or items.again or items.repeated)


def named_before(
    items: ItemsStatus, payloads: Mapping[str, JsonValue]
) -> tuple[set[str], Counter[str]]:
    """What `rerun.from` has asked of the items of an earlier list.

    Returns:
        The identities of the items whose results are not kept, and how often each identity was
        named, this time included.
    """
    listed = list_of(stored(items, payloads), payloads)
    identities = listed.get("identities") or []
    counts = Counter(dict(zip(identities, counts_of(listed), strict=False)))
    again = {identities[index] for index in items.again or () if index < len(identities)}
    counts.update(again)
    return again, counts


def results_by_identity(
    items: ItemsStatus, payloads: Mapping[str, JsonValue], *, keeps_outputs: bool
) -> dict[str, JsonObject]:
    """The results of the items that succeeded, by identity.

    Args:
        items: The items of an earlier list.
        payloads: The NodeRecords that were loaded, by name; all of `records_to_read` are among
            them.
        keeps_outputs: Whether outputs of items were stored.

    Returns:
        The results; those whose NodeRecord no longer exists are left out, so their items run again.
    """
    found = stored(items, payloads)
    identities = list_of(found, payloads).get("identities") or []
    results = ends_of(found, payloads)
    states = parse_states(str(found.get("states") or ""))
    kept = (index for index, state in enumerate(states) if state.letter == "S")
    return {
        identities[index]: results.get(str(index), {})
        for index in kept
        if index < len(identities) and (str(index) in results or not keeps_outputs)
    }


def children_by_identity(
    items: ItemsStatus, payloads: Mapping[str, JsonValue]
) -> dict[str, JsonObject]:
    """The child runs that a later list continues, by identity, as the results keep them.

    Those of the items that failed, also in an earlier list if they had not started again in this
    one, and those of items that succeeded if no result is kept.
    """
    continued = "FC" if items.reusable else "FCS"
    found = stored(items, payloads)
    listed = list_of(found, payloads)
    identities, earlier = listed.get("identities") or [], listed.get("children") or {}
    results = ends_of(found, payloads)
    states = parse_states(str(found.get("states") or ""))
    children = {
        identities[index]: results.get(str(index), {}).get("c") or earlier.get(str(index))
        for index, state in enumerate(states)
        if state.letter in continued and index < len(identities) and identities[index]
    }
    return {identity: child for identity, child in children.items() if child}
