"""Fills `default`s of a schema into a value (docs/semantics.md, S62)."""

import copy
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from waypost.protocol.ijson import MAX_DEPTH, Json
from waypost.protocol.references import References

# An object that is a default may have defaults in turn: thirty definitions of three lines each
# could otherwise fill a gigabyte.
LIMIT: Final = 64 * 1024
_FILLING: Final = 16  # what a default costs beside its own text: the work, and its key
_HOPS: Final = 64
# Keywords with schemas that are not followed.
_NOT_FOLLOWED: Final = (
    *("anyOf", "oneOf", "if", "then", "else", "dependentSchemas", "patternProperties"),
    *("not", "contains", "propertyNames", "unevaluatedProperties", "unevaluatedItems"),
    "additionalProperties",
)


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


class Unfilled(NamedTuple):
    """A default that `apply_defaults` never fills in.

    `keyword` is the one that prevents it; "" if the default is not that of a property.
    `name` is the property, "" if there is none.
    """

    default: Json
    name: str
    keyword: str


def unfilled(schema: Json) -> list[Unfilled]:
    """The defaults of a schema that are never filled in, each once, in the order of the schema.

    A default is filled in if any way leads to it: a definition may be used in several places. So is
    one that stands in a branch, if the same property has a default beside the branch.
    """
    walk = _Walk(schema)
    walk.visit()
    return [found for at, found in walk.unfilled.items() if at not in walk.filled]


@dataclass(frozen=True)
class _Way:
    """How a part of a schema is reached: as the value of a property, or of an item or the root.

    Attributes:
        name: The property, after those above it up to `keyword`; "" for other values.
        keyword: The first one that is not followed; "" for none.
        covered: Whether the property has a default beside that keyword.
        beside: The properties of this value that have a default beside that keyword.
    """

    name: str = ""
    keyword: str = ""
    covered: bool = False
    beside: frozenset[str] = frozenset()

    @property
    def fills(self) -> bool:
        return bool(self.name) and (not self.keyword or self.covered)

    def with_defaults_of(self, part: dict[str, Any]) -> frozenset[str]:
        """The properties of this value that have a default, those in `part` included."""
        return self.beside if self.keyword else self.beside | _with_default(part)

    def below(self, name: str) -> str:
        """The name of a property of this value."""
        return f"{self.name}.{name}" if self.keyword and self.name else name


class _Walk:
    """Visits every part of a schema, by every way that differs."""

    def __init__(self, root: Json) -> None:
        self._references = References(root)
        self._pending = deque([(root, _Way())])
        self._seen: set[tuple[int, bool, bool, bool]] = set()
        self.filled: set[int] = set()
        self.unfilled: dict[int, Unfilled] = {}

    def visit(self) -> None:
        while self._pending:
            part, way = self._pending.popleft()
            key = (id(part), bool(way.name), bool(way.keyword), way.fills)
            if not isinstance(part, dict) or key in self._seen:
                continue
            self._seen.add(key)
            if "default" in part and way.fills:
                self.filled.add(id(part))
            elif "default" in part:
                found = Unfilled(part["default"], way.name, way.keyword)
                self.unfilled.setdefault(id(part), found)
            self._pending += self._followed(part, way)
            self._pending += self._not_followed(part, way)

    def _followed(self, part: dict[str, Any], way: _Way) -> Iterator[tuple[Json, _Way]]:
        here = replace(way, beside=way.with_defaults_of(part))
        for inner in [*_listed(part, "allOf"), *(t for _, t in self._references.targets(part))]:
            yield inner, here
        for name, inner in _section(part, "properties").items():
            yield inner, _Way(way.below(name), way.keyword, name in way.beside)
        keywords = ["items"] if part.get("patternProperties") else ["items", "additionalProperties"]
        for inner in [*_listed(part, "prefixItems"), *map(part.get, keywords)]:
            yield inner, _Way("", way.keyword)

    def _not_followed(self, part: dict[str, Any], way: _Way) -> Iterator[tuple[Json, _Way]]:
        covered = way.covered or (not way.keyword and "default" in part)
        beside = way.with_defaults_of(part)
        for keyword in _NOT_FOLLOWED:
            blocked = _Way(way.name, way.keyword or keyword, covered, beside)
            if keyword == "patternProperties":
                for name, inner in _section(part, keyword).items():
                    yield inner, _Way(name, blocked.keyword)
            elif keyword == "dependentSchemas":
                for inner in _section(part, keyword).values():
                    yield inner, blocked
            elif keyword != "additionalProperties" or part.get("patternProperties"):
                held = part.get(keyword)
                for inner in held if isinstance(held, list) else [held]:
                    yield inner, blocked


def _listed(part: dict[str, Any], keyword: str) -> list[Json]:
    found = part.get(keyword)
    return found if isinstance(found, list) else []


def _section(part: dict[str, Any], keyword: str) -> dict[str, Json]:
    found = part.get(keyword)
    return found if isinstance(found, dict) else {}


def _with_default(part: dict[str, Any]) -> frozenset[str]:
    named = _section(part, "properties").items()
    return frozenset(
        name for name, inner in named if isinstance(inner, dict) and "default" in inner
    )


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
