"""The differences of two JSON values, as a bounded list of paths."""

import json
from collections.abc import Iterator
from typing import Any, Final

from waypost.protocol.text import shorten
from waypost.views.documents import Change

LISTED: Final = 200
_VALUE: Final = 200  # characters of a value
_ABSENT: Final = object()


def changes(before: Any, after: Any) -> tuple[list[Change], int]:
    """The first changes in the order of `before`, and how many more there are.

    Elements of lists whose objects have a `name` are compared by it, so that a node that moves has
    not changed.
    """
    found = list(_changes(before, after, ""))
    return found[:LISTED], max(len(found) - LISTED, 0)


def _changes(before: Any, after: Any, path: str) -> Iterator[Change]:
    if isinstance(before, list) and isinstance(after, list):
        before, after = _by_key(before, after)
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            below = f"{path}.{key}" if path and not str(key).startswith("[") else f"{path}{key}"
            yield from _changes(before.get(key, _ABSENT), after.get(key, _ABSENT), below)
    elif before is _ABSENT or after is _ABSENT or _differ(before, after):
        yield Change(path=path or "$", before=_shown(before), after=_shown(after))


def _differ(before: Any, after: Any) -> bool:
    return before != after or isinstance(before, bool) != isinstance(after, bool)


def _by_key(before: list[Any], after: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    both = [_names(before), _names(after)]
    if None in both:
        return (
            {f"[{at}]": item for at, item in enumerate(before)},
            {f"[{at}]": item for at, item in enumerate(after)},
        )
    return {f"[{name}]": item for name, item in zip(both[0] or (), before, strict=True)}, {
        f"[{name}]": item for name, item in zip(both[1] or (), after, strict=True)
    }


def _names(listed: list[Any]) -> list[str] | None:
    """The names of the elements; None if one has none, or two have the same."""
    names = [item.get("name") if isinstance(item, dict) else None for item in listed]
    usable = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return [str(name) for name in names] if usable else None


def _shown(value: Any) -> str | None:
    if value is _ABSENT:
        return None
    return shorten(json.dumps(value, ensure_ascii=False), _VALUE)
