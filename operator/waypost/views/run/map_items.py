"""Which items of a map `waypost trace` lists: those that failed, are open, or were repeated."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from waypost.api.base import JsonObject
from waypost.api.items.states import FAILED, ItemState, parse_states
from waypost.api.items.status import ItemsStatus
from waypost.api.paths import NodePath, parse_path
from waypost.kube import names
from waypost.kube.items.child_items import started_by
from waypost.kube.items.open_items import words_of
from waypost.kube.node_records import LARGEST, record_fact

SHOWN: Final = 20
STATE_NAMES: Final = {
    "R": "Running",
    "X": "Running",
    "B": "Backoff",
    "H": "Waiting",
    "W": "Waiting",
    "S": "Succeeded",
    "F": "Failed",
    "U": "Failed",
    "C": "Cancelled",
}
_OPEN: Final = frozenset("RXBHW")


def items_of_interest(
    path: str,
    items: ItemsStatus,
    records: Mapping[str, JsonObject],
    *,
    run: str = "",
    run_uid: str = "",
) -> tuple[list[JsonObject], int]:
    """The items to list, as fields of an ItemView, and how many more there are.

    Args:
        path: The path of the map.
        items: Its items in the status of the run.
        records: NodeRecords by name, as far as they were read: the one with its items, once the map
            has ended, and the list of a compensation.
        run: The name of the run.
        run_uid: Its uid.
    """
    sealed = _content(records.get(items.sealed or ""))
    stored = sealed if items.states is None else {"results": items.fresh}
    text = items.states or stored.get("states") or ""
    states = parse_states(str(text))
    chosen = list(_chosen(states))
    known = _failures(items, stored)
    waiting = {int(shown.split()[0]): words_of(shown)[0] for shown in items.open or ()}
    children = _children(items, stored)
    undone = _undone(path, items, sealed, records)
    listed = []
    for index in chosen[:SHOWN]:
        state, failure = states[index], known.get(index, {})
        listed.append(
            {
                "path": f"{path}/{index}",
                "state": STATE_NAMES[state.letter],
                "attempts": state.number,
                "reason": failure.get("reason") or waiting.get(index),
                "message": failure.get("message"),
                "child": _child_name(run, run_uid, path, children.get(index)),
                "undoes": undone[index] if index < len(undone) else None,
            }
        )
    return listed, max(len(chosen) - SHOWN, 0)


def list_record(items: ItemsStatus, sealed: JsonObject | None) -> str | None:
    """The name of the NodeRecord with the list of a map; None if it is not known."""
    return items.list_record or _content(sealed).get("list")


def _undone(
    path: str, items: ItemsStatus, sealed: dict[str, Any], records: Mapping[str, JsonObject]
) -> list[str]:
    """The paths of the items that those of a compensation undo; empty for another map."""
    parsed = parse_path(path)
    if not parsed.compensates:
        return []
    content = _content(records.get(items.list_record or sealed.get("list") or ""))
    return [str(NodePath(parsed.node, index)) for index in content.get("items") or ()]


def _children(items: ItemsStatus, stored: dict[str, Any]) -> dict[int, tuple[int, int]]:
    """What the names of the child runs of items follow from, as far as it is known."""
    results = stored.get("results") or {}
    kept = {int(at): (end["c"]["i"], end["c"]["g"]) for at, end in results.items() if "c" in end}
    opened = {int(shown.split()[0]): started_by(shown) for shown in items.open or ()}
    return kept | {index: found for index, found in opened.items() if found is not None}


def _child_name(run: str, run_uid: str, path: str, found: tuple[int, int] | None) -> str | None:
    if found is None:
        return None
    origin, generation = found
    return names.child_name(
        run=run, run_uid=run_uid, path=f"{path}/{origin}", generation=generation
    )


def _chosen(states: list[ItemState]) -> Iterator[int]:
    """The indexes of the items of interest: failed, open, then those with several attempts."""
    yield from (at for at, state in enumerate(states) if state.letter in FAILED)
    yield from (at for at, state in enumerate(states) if state.letter in _OPEN)
    over = FAILED | _OPEN
    yield from (
        at for at, state in enumerate(states) if state.letter not in over and state.number > 1
    )


def _content(sealed: JsonObject | None) -> dict[str, Any]:
    fact = record_fact(sealed, limit=LARGEST) if sealed else None
    value = fact.payload.value if fact is not None and not fact.problem else None
    return value if isinstance(value, dict) else {}


def _failures(items: ItemsStatus, stored: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Reason and message of failed items by index, as far as they are known without reading all
    results."""
    results = stored.get("results") or {}
    found = {int(index): end["e"] for index, end in results.items() if "e" in end}
    return found | {
        one.index: {"reason": one.reason, "message": one.message} for one in items.failures or ()
    }
