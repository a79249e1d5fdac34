"""The types of `chunk`, `flatten`, `zip` and `range`, and uses of them that always fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from waypost.compiler.types.fields import element_of
from waypost.compiler.types.schemas import Unknown, alternatives
from waypost.expressions.lists import MAX_RANGE
from waypost.protocol.ijson import Json

LIST_FUNCTIONS: Final = frozenset(("chunk", "flatten", "zip", "range"))

# The schema of an argument, and its expression for messages.
Argument = tuple[Json, str]


@dataclass(frozen=True)
class ListResult:
    """The schema of a result, and why the call always fails."""

    schema: Json
    problems: tuple[str, ...] = ()


def result_of(function: str, given: list[Argument]) -> ListResult:
    """The type of a call of one of LIST_FUNCTIONS with these arguments."""
    match function, given:
        case "chunk", [(items, _), (size, _)]:
            inner = {"type": "array", "items": element_of(items, None), "minItems": 1}
            return ListResult({"type": "array", "items": inner}, _size_problem(size))
        case "flatten", [(lists, text)]:
            inner = element_of(lists, None)
            made = {"type": "array", "items": element_of(inner, None)}
            return ListResult(made, _flatten_problem(inner, text))
        case "zip", [(left, _), (right, _)]:
            pair = {
                "type": "array",
                "prefixItems": [element_of(left, None), element_of(right, None)],
                "items": False,
                "minItems": 2,
                "maxItems": 2,
            }
            return ListResult({"type": "array", "items": pair})
        case "range", [(count, _)]:
            whole = {"type": "integer", "minimum": 0, "maximum": MAX_RANGE - 1}
            return ListResult({"type": "array", "items": whole}, _range_problem(count))
    return ListResult(Unknown())


def _size_problem(size: Json) -> tuple[str, ...]:
    number = _constant(size)
    if number is None or number >= 1:
        return ()
    return (f"chunk(list, n): n must be 1 or more, found {number}",)


def _range_problem(count: Json) -> tuple[str, ...]:
    number = _constant(count)
    if number is None or 0 <= number <= MAX_RANGE:
        return ()
    return (f"range(n): n must be from 0 to {MAX_RANGE}, found {number}",)


def _flatten_problem(inner: Json, text: str) -> tuple[str, ...]:
    """A problem if no element of the list can be a list, or if one may be null."""
    given = None if isinstance(inner, Unknown) else alternatives(inner)
    if not given or not all(one.declared for one in given):
        return ()
    kinds = {one.kind for one in given}
    if "array" not in kinds:
        return (f"flatten takes a list of lists, {text}[] is {' or '.join(sorted(kinds))}",)
    if "null" in kinds:
        return (
            f"flatten takes a list of lists, {text}[] may be null: write "
            f"flatten({text}.filter(r, r != null))",
        )
    return ()


def _constant(schema: Json) -> int | None:
    value = schema.get("const") if isinstance(schema, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
