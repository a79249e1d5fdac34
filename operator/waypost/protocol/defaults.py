"""Fills `default`s of a schema into a value (docs/semantics.md, S62)."""

import copy
from collections.abc import Iterator
from typing import Any, Final

from waypost.protocol.ijson import MAX_DEPTH, Json
from waypost.protocol.references import References

# An object that is a default may have defaults in turn: thirty definitions of three lines each
# could otherwise fill a gigabyte.
LIMIT: Final = 64 * 1024
_FILLING: Final = 16  # what a default costs beside its own text: the work, and its key
_HOPS: Final = 64


class _TooMuch(Exception):
    """The defaults of a schema add more than LIMIT characters to one value, or nest too deep."""


def apply_defaults(schema: Json, value: Json) -> Json:
    """Fill in the `default`s of missing properties, nested ones too.

    Follows `properties`, `additionalProperties` (unless there are `patternProperties`), `items`,
    `prefixItems`, `allOf`, `$ref` and `$dynamicRef`; not `anyOf`, `oneOf` or `if`, where the value
    decides which branch applies.

    Returns:
        A new value; `value` itself if its defaults would add more than LIMIT characters. The
        validation that follows then reports the missing properties.
    """
    try:
        return _Filling(schema).fill(schema, value, 0)
    except _TooMuch:
        return value


def run_away(schema: Json, parts: Iterator[Json]) -> bool:
    """Whether defaults add more than LIMIT characters or nest deeper than MAX_DEPTH.

    Args:
        schema: The root, which local `$ref`s refer to.
        parts: The schemas inside it, as `protocol.schema.parts` yields them.
    """
    filling = _Filling(schema)
    try:
        for part in parts:
            filling.fill(part, {}, 0)
    except _TooMuch:
        return True
    return False


class _Filling:
    """One pass over a value, with the number of characters that defaults may still add."""

    def __init__(self, root: Json) -> None:
        self._references = References(root)
        self._left = LIMIT

    def fill(self, schema: Json, value: Json, depth: int) -> Json:
        if depth > MAX_DEPTH:
            raise _TooMuch
        for part in self._resolved(schema):
            if isinstance(value, dict):
                value = self._object(part.get("properties"), value, depth)
                value = self._others(part, value, depth)
            elif isinstance(value, list):
                value = self._list(part, value, depth)
        return value

    def _list(self, part: dict[str, Any], value: list[Json], depth: int) -> list[Json]:
        heads = part.get("prefixItems")
        heads = heads if isinstance(heads, list) else []
        if not heads and "items" not in part:
            return value
        schemas = [*heads[: len(value)], *[part.get("items", True)] * (len(value) - len(heads))]
        return [
            self.fill(schema, item, depth + 1) for schema, item in zip(schemas, value, strict=True)
        ]

    def _others(self, part: dict[str, Any], value: Json, depth: int) -> Json:
        """Fill the properties that only `additionalProperties` describes."""
        others = part.get("additionalProperties")
        if not isinstance(others, dict) or part.get("patternProperties"):
            return value
        named = part.get("properties")
        named = named if isinstance(named, dict) else {}
        return {
            key: item if key in named else self.fill(others, item, depth + 1)
            for key, item in value.items()
        }

    def _object(self, properties: Json, value: Json, depth: int) -> Json:
        if not isinstance(properties, dict):
            return value
        filled = dict(value)
        for key, declared in properties.items():
            if key not in filled:
                part = next((p for p in self._resolved(declared) if "default" in p), None)
                if part is None:
                    continue
                filled[key] = self._copied(part["default"])
            filled[key] = self.fill(declared, filled[key], depth + 1)
        return filled

    def _copied(self, default: Json) -> Json:
        self._left -= _FILLING + len(repr(default))
        if self._left < 0:
            raise _TooMuch
        return copy.deepcopy(default)

    def _resolved(self, schema: Json) -> Iterator[dict[str, Any]]:
        """The schema, then those of its allOf and references: its own keywords come first."""
        pending = [schema]
        for _ in range(_HOPS):
            if not pending:
                return
            part = pending.pop(0)
            if not isinstance(part, dict):
                continue
            yield part
            listed = part.get("allOf")
            pending += listed if isinstance(listed, list) else []
            pending += [target for _, target in self._references.targets(part)]
