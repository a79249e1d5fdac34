"""The child run of an open item of a map, as its text in the status has it, and what a later list
keeps of it.

`~3/2/1/<uid>/<digest>` has the index and the generation that its name follows from, the round that
it must end, its uid (`-` until it has been seen), and the beginning of the digest of its inputs.
`%` begins what it has used as far as the usage of the map has it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from waypost.api.base import JsonObject
from waypost.api.items.states import parsed_states
from waypost.api.items.status import ItemsStatus
from waypost.api.state.child import ChildStatus
from waypost.api.state.usage import Allotment, Usage
from waypost.api.status import NodeStatus
from waypost.kube import names
from waypost.kube.objects import section, text

CHILD_PATTERN: Final = r"(?: ~(?P<child>[^ ]+))?(?: %(?P<used>[^ ]+))?"
_IN_TEXT: Final = re.compile(
    r"(\d+) \+\S+(?: [rdqlu]\d+| [$<#^]\S+)* ~(\d+)/(\d+)/(\d+)/([^ /]+)/([0-9a-f]*)"
)
_STOPPING: Final = re.compile(r" !\w")
_DIGEST: Final = "sha256:"
_DIGITS: Final = 12  # of the digest of its inputs
_LETTERS: Final = {
    "m": "model_calls",
    "i": "input_tokens",
    "c": "cached_tokens",
    "o": "output_tokens",
    "t": "total_tokens",
    "l": "tool_calls",
    "a": "reasks",
    "w": "provider_waits",
    "r": "replayed_model_calls",
    "s": "replayed_tool_calls",
    "e": "estimated_model_calls",
}
_USED: Final = re.compile(r"([a-z$])([\d.]+)")

NameOf = Callable[[int, int], str]  # the name of a child run, from index and generation


@dataclass(frozen=True)
class ItemChild:
    """The child run of an item.

    Attributes:
        origin: The index of the item that started it; an item keeps it in a later list, at another
            index.
        child: As the status of a node has it.
        input_digest: The digest of its inputs, perhaps only its beginning.
    """

    origin: int
    child: ChildStatus
    input_digest: str | None = None


def child_text(given: ItemChild) -> str:
    """The part of the text of an item that has its child run."""
    child = given.child
    digest = (given.input_digest or "").removeprefix(_DIGEST)[:_DIGITS]
    return f"~{given.origin}/{child.generation}/{child.round}/{child.uid or '-'}/{digest}"


def from_child_text(
    found: str, name_of: NameOf, *, stopping: str | None, budget: Allotment | None
) -> ItemChild:
    """The child run of an item from its part of the text, without the `~`.

    Raises:
        ValueError: It is not one that `child_text` gives.
    """
    origin, generation, round_, uid, digest = found.split("/")
    child = ChildStatus(
        name=name_of(int(origin), int(generation)),
        uid=None if uid == "-" else uid,
        generation=int(generation),
        round=int(round_),
        stopping=stopping,
        budget=budget,
    )
    return ItemChild(int(origin), child, f"{_DIGEST}{digest}" if digest else None)


def used_text(usage: Usage | None) -> str:
    """Usage as a part of a text, without calls by tool; "" if there is none."""
    if usage is None:
        return ""
    counts = ((letter, getattr(usage, name)) for letter, name in _LETTERS.items())
    shown = "".join(f"{letter}{count}" for letter, count in counts if count)
    shown += f"${usage.cost_usd}" if usage.cost_usd is not None else ""
    return f"%{shown}" if shown else ""


def from_used_text(found: str | None) -> Usage | None:
    """The inverse of `used_text`, without the `%`."""
    if not found:
        return None
    values = dict(_USED.findall(found))
    cost = values.pop("$", None)
    counts: JsonObject = {_LETTERS[letter]: int(value) for letter, value in values.items()}
    return Usage(**counts, costUSD=cost)


def started_by(shown: str) -> tuple[int, int] | None:
    """The index and the generation that the name of the child run in the text of an item follows
    from; None if it has none."""
    found = _IN_TEXT.match(shown)
    return (int(found[2]), int(found[3])) if found is not None else None


def has_children(items: ItemsStatus | None) -> bool:
    """Whether an open item of a map has a child run."""
    opened = items.open if items is not None else None
    return any(_IN_TEXT.match(one) for one in opened or ())


def expects_item(
    entry: Mapping[str, Any], *, run: str, run_uid: str, path: str, name: str, uid: str
) -> bool:
    """Whether an item of a map waits for a child run.

    Args:
        entry: The entry of the map in the status of the parent, as JSON of any form.
        run: The name of the parent.
        run_uid: Its uid.
        path: The path of the map.
        name: The name of the child run.
        uid: Its uid.
    """
    if entry.get("phase") != "Running":
        return False
    items = section(entry, "items")
    try:
        states = parsed_states(text(items, "states"))
    except ValueError:
        return False
    opened = items.get("open")
    for one in opened if isinstance(opened, list) else ():
        found = _IN_TEXT.match(one) if isinstance(one, str) else None
        if found is None or int(found[1]) >= len(states):
            continue
        known = names.child_name(
            run=run, run_uid=run_uid, path=f"{path}/{found[2]}", generation=int(found[3])
        )
        if known == name and found[5] in ("-", uid):
            return states[int(found[1])].letter == "R" and not _STOPPING.search(one)
    return False


def kept_child(status: NodeStatus, origin: int) -> JsonObject | None:
    """What the results of a map keep of the child run of an item that has ended: a later round may
    continue it. `child_of_kept` reads it."""
    child = status.child
    if child is None:
        return None
    kept: JsonObject = {"i": origin, "g": child.generation, "r": child.round, "uid": child.uid}
    if status.usage is not None:
        kept["used"] = status.usage.model_dump(by_alias=True, exclude_none=True, mode="json")
    if child.budget is not None:
        kept["budget"] = child.budget.model_dump(by_alias=True, exclude_none=True, mode="json")
    return kept


def child_of_kept(kept: Any, name_of: NameOf) -> tuple[ItemChild, Usage | None] | None:
    """The child run that an item continues, and what it has used; None if there is none."""
    if not isinstance(kept, dict) or not kept.get("uid"):
        return None
    try:
        child = ChildStatus(
            name=name_of(int(kept["i"]), int(kept["g"])),
            uid=kept["uid"],
            generation=kept["g"],
            round=kept["r"],
            budget=Allotment.model_validate(kept["budget"]) if "budget" in kept else None,
        )
        used = Usage.model_validate(kept["used"]) if "used" in kept else None
    except (KeyError, TypeError, ValueError):  # also a ValidationError
        return None
    return ItemChild(int(kept["i"]), child), used
