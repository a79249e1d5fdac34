"""Conversion of values into and out of an expression, and to text.

JSON has one type of number, CEL has three, and the API server stores 1.0 as 1. So a number
without a declared type is an int if it has no fraction, else a double, regardless of its spelling.
A number that a JSON Schema declares as `number` is a `Double` even if it is 1, so that
`inputs.n / 2` is never an integer division.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from waypost.protocol.ijson import MAX_DEPTH, MAX_SAFE_INTEGER, Json
from waypost.protocol.references import References

# The library refuses more steps of loops.
TOO_MANY_STEPS: Final = "Iteration budget"

_Convert = Callable[[Any, int], Json]


class Double(float):
    """A number that stays a double in expressions although it may have no fraction."""

    __slots__ = ()


class Unfit(ValueError):
    """A value that is not JSON. Raised and caught inside this package.

    `path` is its place, such as `.items[2].price`; empty for the value itself.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path


@dataclass(frozen=True)
class Failure:
    """An evaluation without a value: the text of the library without its status codes."""

    message: str

    @property
    def of_steps(self) -> bool:
        """Whether the library refused to take more steps."""
        return TOO_MANY_STEPS in self.message


def declare_numbers(value: Json, schema: Json) -> Json:
    """`value` with every number that `schema` declares as `number` made a `Double`.

    Reads `type`, `properties`, `additionalProperties`, `items`, `prefixItems`, `allOf`, `anyOf`,
    `oneOf`, `$ref` and `$dynamicRef`; anything else leaves the value as it is. Never fails:
    validation is separate.
    """
    return _declare(value, schema, References(schema), 0)


def _declare(value: Json, schema: Json, references: References, depth: int) -> Json:
    if not isinstance(schema, dict) or depth > MAX_DEPTH:  # a schema may refer to itself
        return value
    deeper = depth + 1
    for _, target in references.targets(schema):
        value = _declare(value, target, references, deeper)
    for keyword in ("allOf", "anyOf", "oneOf"):
        branches = schema.get(keyword)
        for branch in branches if isinstance(branches, list) else ():
            value = _declare(value, branch, references, deeper)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _declared(value, schema.get("type"))
    if isinstance(value, dict):
        named = _mapping(schema.get("properties"))
        # A pattern may match any other name, and then additionalProperties does not apply.
        patterns = schema.get("patternProperties")
        other = None if patterns else schema.get("additionalProperties")
        return {
            key: _declare(item, named.get(key, other), references, deeper)
            for key, item in value.items()
        }
    if isinstance(value, list):
        first = schema.get("prefixItems")
        heads = first if isinstance(first, list) else []
        rest = schema.get("items")
        return [
            _declare(item, heads[at] if at < len(heads) else rest, references, deeper)
            for at, item in enumerate(value)
        ]
    return _declared(value, schema.get("type")) if isinstance(value, float) else value


def into_cel(value: Json, depth: int = 0) -> Json:
    """`value` as it is bound to a variable. Raises `Unfit` if it is not I-JSON (RFC 7493)."""
    if isinstance(value, Double):
        return float(value)  # the library does not accept subclasses
    if isinstance(value, str):
        return _whole_text(value)
    if isinstance(value, Mapping):
        for key in value:
            _whole_text(key)
    return _converted(value, into_cel, depth)


def out_of_cel(value: object, depth: int = 0) -> Json:
    """A result as JSON: numbers in their one form, raises `Unfit` if it is not JSON."""
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise Unfit("the keys of a map must be strings")
        # Sorted, because the order of maps from the library differs between processes.
        value = {key: value[key] for key in sorted(value)}
    return _converted(value, out_of_cel, depth)


def compact_json(value: Json) -> str:
    """The canonical text of a JSON value: no spaces, sorted keys, shortest doubles."""
    return json.dumps(
        out_of_cel(value),
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    )


_PLAIN, _NUMBERS, _LISTS = (str, bool), (int, float), (list, tuple)

_FOREIGN = {
    "bytes": "bytes",
    "bytearray": "bytes",
    "datetime": "a timestamp",
    "timedelta": "a duration",
}


def _whole_text(value: str) -> str:
    """`value`, if it has no NUL, at which the library would cut it: `admin<NUL>x` as `admin`."""
    if "\0" in value:
        raise Unfit("the text holds a NUL character, which expressions cannot read")
    return value


def _converted(value: object, convert: _Convert, depth: int) -> Json:
    """`value` with its numbers in their one form; `convert` is applied to inner values."""
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, _NUMBERS):
        return _one_form(value)
    if depth > MAX_DEPTH:
        raise Unfit(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return _converted_object(value, convert, depth + 1)
    if isinstance(value, _LISTS):
        return _converted_list(value, convert, depth + 1)
    if isinstance(value, Mapping):
        return _converted_object(value, convert, depth + 1)
    if isinstance(value, Unavailable):
        raise Unfit(value.why)
    raise Unfit(f"{foreign_kind(value)} is not JSON; convert it, for example with string(...)")


def foreign_kind(value: object) -> str:
    """The name of a kind of value that JSON does not have, for messages."""
    return _FOREIGN.get(type(value).__name__, "a type")


def _converted_object(value: Mapping[str, Any], convert: _Convert, depth: int) -> dict[str, Json]:
    converted: dict[str, Json] = {}
    key = ""
    try:
        for key, item in value.items():
            converted[key] = convert(item, depth)
    except Unfit as unfit:
        raise Unfit(unfit.message, f".{key}{unfit.path}") from None
    return converted


def _converted_list(value: Sequence[Any], convert: _Convert, depth: int) -> list[Json]:
    converted: list[Json] = []
    try:
        for item in value:
            converted.append(convert(item, depth))
    except Unfit as unfit:
        raise Unfit(unfit.message, f"[{len(converted)}]{unfit.path}") from None
    return converted


def _one_form(value: int | float) -> int | float:
    """1 and 1.0 are one number; so are 0 and -0.0, which the API server stores as 0."""
    if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        whole = int(value)
        return whole if whole == value else float(value)
    if isinstance(value, int):
        raise Unfit("the integer is beyond 2^53, where numbers lose digits")
    if not math.isfinite(value):
        raise Unfit("NaN and Infinity are not JSON")
    return float(value)


def _declared(value: int | float, types: Json) -> Json:
    names = types if isinstance(types, list) else [types]
    return Double(value) if "number" in names and abs(value) <= MAX_SAFE_INTEGER else value


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


@dataclass(frozen=True)
class Unavailable:
    """A value that cannot be read: `why` is a sentence. `lost`: it no longer exists anywhere."""

    why: str
    lost: bool = False
