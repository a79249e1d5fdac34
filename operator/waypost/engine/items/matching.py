"""What the items of an earlier list leave to the next one: results by identity."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from waypost.api.base import JsonObject, JsonValue
from waypost.api.items.states import parse_states
from waypost.api.items.status import ItemsStatus
from waypost.expressions.values import Unavailable
from waypost.kube.items.marks import counts_of


def records_to_read(items: ItemsStatus, payloads: Mapping[str, JsonValue]) -> set[str]:
    """The names of the NodeRecords that `results_by_identity` reads, as far as they are known."""
    if items.sealed is not None:
        if items.sealed not in payloads:
            return {items.sealed}
        sealed = payloads[items.sealed]
        stored: Mapping[str, Any] = sealed if isinstance(sealed, dict) else {}
        return {*stored.get("blocks", ()), *([stored["list"]] if "list" in stored else ())}
    return {*(items.blocks or ()), *([items.list_record] if items.list_record else ())}


def is_read(items: ItemsStatus) -> bool:
    """Whether the next list needs something of this one: results, or how often items were named."""
    return bool(items.reusable or items.again or items.repeated)


def named_before(
    items: ItemsStatus, payload: Callable[[str], JsonValue]
) -> tuple[set[str], Counter[str]]:
    """What `rerun.from` has asked of the items of an earlier list.

    Returns:
        The identities of the items whose results are not kept, and how often each identity was
        named, this time included.
    """
    stored = _stored(items, payload)
    found = _object(payload(str(stored["list"]))) if stored.get("list") else {}
    identities = found.get("identities") or []
    counts = Counter(dict(zip(identities, counts_of(found), strict=False)))
    again = {identities[index] for index in items.again or () if index < len(identities)}
    counts.update(again)
    return again, counts


def results_by_identity(
    items: ItemsStatus, payload: Callable[[str], JsonValue], *, keeps_outputs: bool
) -> dict[str, JsonObject]:
    """The results of the items that succeeded, by identity.

    Args:
        items: The items of an earlier list.
        payload: The value of a NodeRecord; all of `records_to_read` are loaded.
        keeps_outputs: Whether outputs of items were stored.

    Returns:
        The results; those whose NodeRecord no longer exists are left out, so their items run again.
    """
    stored = _stored(items, payload)
    found = _object(payload(str(stored["list"]))) if stored.get("list") else {}
    identities = found.get("identities") or []
    results: dict[str, Any] = dict(stored.get("results") or {})
    for name in stored.get("blocks") or ():
        results |= _object(payload(name)).get("results") or {}
    states = parse_states(str(stored.get("states") or ""))
    kept = (index for index, state in enumerate(states) if state.letter == "S")
    return {
        identities[index]: results.get(str(index), {})
        for index in kept
        if index < len(identities) and (str(index) in results or not keeps_outputs)
    }


def _stored(items: ItemsStatus, payload: Callable[[str], JsonValue]) -> Mapping[str, Any]:
    if items.sealed is not None:
        return _object(payload(items.sealed))
    return {
        "list": items.list_record,
        "states": items.states,
        "blocks": items.blocks,
        "results": items.fresh,
    }


def _object(value: JsonValue) -> Mapping[str, Any]:
    return value if isinstance(value, dict) and not isinstance(value, Unavailable) else {}
