"""Values on their way into and out of an expression, and as text.

JSON knows one kind of number, CEL has three, and the API server stores 1.0 as 1. So a number
without a declared type is an int when it has no fraction and a double otherwise, whichever way it
was written; a number that a JSON Schema declares as `number` is a `Double` even when it is 1, so
that `inputs.n / 2` does not turn into an integer division on some days.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

# Any JSON value, as Python reads it.
Json = Any

LARGEST_INTEGER = 2**53 - 1  # I-JSON: what a double still tells apart from its neighbours
MAX_DEPTH = 100  # of arrays and objects: deeper values would exhaust the stack


class Double(float):
    """A number that stays a double in expressions although it may have no fraction."""

    __slots__ = ()


class Unfit(ValueError):
    """Raised and caught inside this package: a value that has no place in JSON, and where.

    `path` reads `.items[2].price`, empty for the value itself.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path


def declare_numbers(value: Json, schema: Json) -> Json:
    """`value` with every number that `schema` declares as `number` made a `Double`.

    Reads `type`, `properties`, `additionalProperties`, `items`, `prefixItems`, `allOf`, `anyOf`
    and `oneOf`; anything else leaves the value as it is. Never fails: judging is validation's job.
    """
    if not isinstance(schema, Mapping):
        return value
    for keyword in ("allOf", "anyOf", "oneOf"):
        branches = schema.get(keyword)
        for branch in branches if isinstance(branches, list) else ():
            value = declare_numbers(value, branch)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _declared(value, schema.get("type"))
    if isinstance(value, dict):
        named = _mapping(schema.get("properties"))
        other = schema.get("additionalProperties")
        return {key: declare_numbers(item, named.get(key, other)) for key, item in value.items()}
    if isinstance(value, list):
        first = schema.get("prefixItems")
        heads = first if isinstance(first, list) else []
        rest = schema.get("items")
        return [
            declare_numbers(item, heads[at] if at < len(heads) else rest)
            for at, item in enumerate(value)
        ]
    return _declared(value, schema.get("type")) if isinstance(value, float) else value


def into_cel(value: Json, depth: int = 0) -> Json:
    """`value` as it is bound to a variable. Raises `Unfit` for what I-JSON does not allow."""
    if value is None or isinstance(value, str | bool | Double):
        return value
    if isinstance(value, int | float):
        return _one_form(value)
    if depth > MAX_DEPTH:
        raise Unfit(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return {key: _at(f".{key}", into_cel, item, depth) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_at(at, into_cel, item, depth) for at, item in enumerate(value)]
    raise Unfit(f"{type(value).__name__} is not a JSON value")


def out_of_cel(value: object, depth: int = 0) -> Json:
    """A result as JSON: numbers in their one form, what JSON cannot hold raised as `Unfit`."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        return _one_form(value)
    if depth > MAX_DEPTH:
        raise Unfit(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise Unfit("the keys of a map must be strings")
        # Sorted, because the library hands maps out in an order that differs between processes.
        return {key: _at(f".{key}", out_of_cel, value[key], depth) for key in sorted(value)}
    if isinstance(value, list):
        return [_at(at, out_of_cel, item, depth) for at, item in enumerate(value)]
    kind = _FOREIGN.get(type(value).__name__, "a type")
    raise Unfit(f"{kind} is not JSON; convert it, for example with string(...)")


def compact_json(value: Json) -> str:
    """The one text of a JSON value: no blanks, keys sorted by code point, shortest doubles."""
    return json.dumps(
        out_of_cel(value),
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    )


_FOREIGN = {
    "bytes": "bytes",
    "bytearray": "bytes",
    "datetime": "a timestamp",
    "timedelta": "a duration",
}


def _at(
    step: str | int,
    convert: Callable[[Any, int], Json],
    value: object,
    depth: int,
) -> Json:
    """`convert(value)` with the step added to the path of whatever does not fit."""
    try:
        return convert(value, depth + 1)
    except Unfit as unfit:
        step = f"[{step}]" if isinstance(step, int) else step
        raise Unfit(unfit.message, f"{step}{unfit.path}") from None


def _one_form(value: int | float) -> int | float:
    """1 and 1.0 are one number; so are 0 and -0.0, which the API server stores as 0."""
    if not math.isfinite(value):
        raise Unfit("NaN and Infinity are not JSON")
    if isinstance(value, int) or value.is_integer():
        if abs(value) <= LARGEST_INTEGER:
            return int(value)
        if isinstance(value, int):
            raise Unfit("the integer is beyond 2^53, where numbers lose digits")
    return float(value)


def _declared(value: int | float, types: Json) -> Json:
    names = types if isinstance(types, list) else [types]
    return Double(value) if "number" in names and abs(value) <= LARGEST_INTEGER else value


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
