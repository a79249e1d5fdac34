"""What the compensation of a map undoes: the items whose effect stands, the last one first.

The list of the compensation has their indexes in the map. All else is read from what the map has
stored of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from waypost.api.base import JsonObject, JsonValue
from waypost.api.items.states import parse_states, parsed_states
from waypost.api.items.status import ItemsStatus
from waypost.api.status import NodeStatus
from waypost.kube.items.identity import possible_identities
from waypost.kube.items.marks import mark_of
from waypost.kube.items.stored import ends_of, list_of, records_of_ends, results_of, stored
from waypost.protocol.reasons import Reason

_EFFECTIVE: Final = frozenset("SU")  # succeeded, or of unknown effect
_RESOLVED: Final = frozenset("RBH")  # items of the compensation whose inputs may be evaluated again


@dataclass(frozen=True)
class UndoneItem:
    """An item of a map as the map has stored it.

    Attributes:
        value: The element of the list.
        index: Its index in the list.
        identity: Its identity.
        mark: What its idempotency key follows.
        end: Its result as it is stored; None if it did not succeed.
    """

    value: JsonValue
    index: int
    identity: str
    mark: str
    end: Mapping[str, Any] | None

    def ran_with(self, content: JsonObject) -> bool:
        """Whether its identity is that of an item with this content at its index."""
        return self.identity in possible_identities(content, self.index)


def took_effect(status: NodeStatus) -> bool:
    """Whether a map that has ended has items that succeeded or whose effect is unknown: of its last
    list, or of an earlier one whose results the next list keeps."""
    items = status.items
    if items is None or not (items.round == (status.round or 1) or items.reusable):
        return False
    if items.states is not None:
        return any(state.letter in _EFFECTIVE for state in parsed_states(items.states))
    return bool(items.succeeded or (items.reasons or {}).get(str(Reason.UNKNOWN_EFFECT)))


def listed(status: NodeStatus, payloads: Mapping[str, JsonValue]) -> list[tuple[int, str]] | str:
    """Index and mark of each item of a map that must be undone, the last one first; a text says why
    they are not known."""
    assert status.items is not None, "only maps with items have a compensation that begins"
    found = stored(status.items, payloads)
    content = list_of(found, payloads)
    if not content or not found.get("states"):
        return _why_unknown(status, found, payloads)
    return [(index, mark_of(content, index)) for index in _effective(found)]


def item_of(status: NodeStatus, payloads: Mapping[str, JsonValue], index: int) -> UndoneItem | str:
    """An item of a map; a text says why it is not known.

    Args:
        status: The status of the map.
        payloads: The NodeRecords that were loaded, by name; all of `reads` are among them.
        index: The index of the item.
    """
    assert status.items is not None, "only maps with items have a compensation that begins"
    found = stored(status.items, payloads)
    content = list_of(found, payloads)
    states = parse_states(str(found.get("states") or ""))
    if not content or index >= len(states):
        return _why_unknown(status, found, payloads)
    end = None
    if states[index].letter == "S":
        end = ends_of(found, payloads).get(str(index)) or {}
    return UndoneItem(
        value=content["items"][index],
        index=index,
        identity=str(content["identities"][index]),
        mark=mark_of(content, index),
        end=end,
    )


def reads(of_map: NodeStatus, of_undo: NodeStatus, payloads: Mapping[str, JsonValue]) -> set[str]:
    """The names of the NodeRecords that the compensation of a map needs, as far as they are known.

    Args:
        of_map: The status of the map.
        of_undo: That of its compensation.
        payloads: The NodeRecords that were loaded, by name.
    """
    items = of_map.items
    if items is None or of_undo.phase not in ("Pending", "Running"):
        return set()
    needed, found = records_of_ends(items, payloads)
    if found is None:
        return needed
    begun = of_undo.items is not None and of_undo.items.states is not None
    indexes = due(of_undo.items, payloads) if begun else _effective(found)[:1]
    return needed | results_of(found, payloads, indexes)


def _effective(found: Mapping[str, Any]) -> list[int]:
    """The indexes of the items of a map whose effect stands, the last one first."""
    states = parse_states(str(found.get("states") or ""))
    return [at for at, state in enumerate(states) if state.letter in _EFFECTIVE][::-1]


def due(items: ItemsStatus | None, payloads: Mapping[str, JsonValue]) -> list[int]:
    """The indexes in the map, or the numbers of the iterations, whose inputs a pass may evaluate:
    those that are being undone, and the next one.

    Args:
        items: The items of the compensation.
        payloads: The NodeRecords that were loaded, by name.
    """
    if items is None or items.states is None:
        return []
    content = payloads.get(items.list_record or "")
    indexes = content["items"] if isinstance(content, dict) else []
    letters = [state.letter for state in parsed_states(items.states)]
    found = [at for at, letter in enumerate(letters) if letter in _RESOLVED]
    found += [letters.index("P")] if "P" in letters else []
    return [indexes[at] for at in found if at < len(indexes)]


def _why_unknown(
    status: NodeStatus, found: Mapping[str, Any], payloads: Mapping[str, JsonValue]
) -> str:
    """Why the items of a map are not known."""
    assert status.items is not None, "asked for maps with items"
    for record in (status.items.sealed, found.get("list")):
        why = getattr(payloads.get(str(record)), "why", None)  # of an Unavailable
        if why is not None:
            return f"the items of {status.path} cannot be read: {why}"
    return (
        f"the items of {status.path} were not stored when it ended, so it is not known which "
        "of them succeeded"
    )
