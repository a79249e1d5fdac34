"""The list functions of expressions: `chunk`, `flatten`, `zip` and `range`, as Python functions.

Each takes lists that the library made for this call, and empties them: the library leaks what it
passes to a function and what it gets from one. `empty_results` empties the results, once the
library has copied them.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any, Final

from waypost.expressions.values import foreign_kind

MAX_RANGE: Final = 10_000


class _Results(threading.local):
    """The results of the evaluation that runs in this thread."""

    def __init__(self) -> None:
        self.made: list[list[Any]] = []


_results: Final = _Results()


def chunk(items: list[Any], size: int) -> list[list[Any]]:
    """`items` in lists of `size` elements, of which the last may have fewer.

    Raises:
        ValueError: `size` is less than 1, or an element cannot be in a result.
    """
    _check(items, "chunk(list, n)")
    if size < 1:
        raise ValueError(f"chunk(list, n): n must be 1 or more, found {size}")
    chunks = [items[at : at + size] for at in range(0, len(items), size)]
    items.clear()
    return _result(chunks)


def flatten(lists: list[Any]) -> list[Any]:
    """The elements of all `lists` in one list; lists inside these elements stay lists.

    Raises:
        ValueError: an element of `lists` is not a list.
    """
    _check(lists, "flatten(list)")
    flat: list[Any] = []
    for at, inner in enumerate(lists):
        if not isinstance(inner, list):
            found = "null" if inner is None else _kind(inner)
            raise ValueError(f"flatten(list): each element must be a list, [{at}] is {found}")
        flat += inner
        inner.clear()
    lists.clear()
    return _result(flat)


def zipped(left: list[Any], right: list[Any]) -> list[list[Any]]:
    """Pairs `[a, b]` of the elements with the same index.

    Raises:
        ValueError: the lists differ in length, or an element cannot be in a result.
    """
    for one in (left, right):
        _check(one, "zip(a, b)")
    if len(left) != len(right):
        raise ValueError(
            f"zip(a, b): the lists must have the same length, found {len(left)} and {len(right)}"
        )
    pairs = [[a, b] for a, b in zip(left, right, strict=True)]
    left.clear()
    right.clear()
    return _result(pairs)


@lru_cache(maxsize=32)  # a list of 10,000 numbers has 360 KiB
def numbers(count: int) -> list[int]:
    """The numbers 0, 1, ... below `count`. The caller must not change the list.

    Raises:
        ValueError: `count` is negative or above MAX_RANGE.
    """
    if count < 0 or count > MAX_RANGE:
        raise ValueError(f"range(n): n must be from 0 to {MAX_RANGE}, found {count}")
    return list(range(count))


def empty_results() -> None:
    """Empty the results of this thread since the last call, with everything in them."""
    while _results.made:
        emptied(_results.made.pop())


def emptied(value: object) -> None:
    """Empty `value` and all lists and maps in it, in place."""
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, list | dict):
            pending += one if isinstance(one, list) else one.values()
            one.clear()


def _result(made: list[Any]) -> list[Any]:
    _results.made.append(made)
    return made


def _check(items: list[Any], function: str) -> None:
    """Refuse what would not come back from Python as it is: it is cut, or it is no JSON."""
    pending: list[Any] = list(items)
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            if "\0" in one:
                raise ValueError(f"{function}: a text holds a NUL character")
        elif isinstance(one, list):
            pending += one
        elif isinstance(one, dict):
            pending += one.values()
            pending += one.keys()
        elif not (one is None or isinstance(one, bool | int | float)):
            raise ValueError(
                f"{function}: {foreign_kind(one)} cannot be an element; convert it, for example "
                "with string(...)"
            )


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "a string"
    if isinstance(value, dict):
        return "an object"
    return "a boolean" if isinstance(value, bool) else "a number"
