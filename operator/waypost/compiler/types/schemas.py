"""JSON Schemas (2020-12) for the type checker: without references, split into alternatives.

An object has only the properties that its schema declares, unless additionalProperties is true or a
schema (S20).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Final

from waypost.protocol import ijson
from waypost.protocol.ijson import Json
from waypost.protocol.references import References
from waypost.protocol.schema import DATA, NAMED, validate_here

Part = dict[str, Json]

KINDS: Final = ("null", "boolean", "number", "string", "array", "object")
TEXT: Final = {"type": "string"}
WHOLE: Final = {"type": "integer"}
HEADERS: Final = {"type": "object", "additionalProperties": TEXT}
NOTHING: Final[Part] = {"enum": []}
_MAX_ALTERNATIVES: Final = 64
_MAX_DEPTH: Final = 16
_CHOICES: Final = ("anyOf", "oneOf")
_BOUNDS: Final = (
    *("pattern", "format", "multipleOf", "minLength", "maxLength"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
)


class Unknown(dict[str, Json]):
    """The schema of a value without a declared type; it is never reported."""


class Narrowed(dict[str, Json]):
    """A schema of which a condition may have excluded alternatives."""


class _NoMember:
    """Marks an alternative that is not a single value."""


@dataclass(frozen=True)
class Alternative:
    """All values of one kind that meet all `parts`, or a single value that the schema lists."""

    kind: str  # null, boolean, integer, number, string, array, object
    parts: tuple[Part, ...]
    declared: bool  # the schema states this kind
    member: Json = field(default=_NoMember)

    @property
    def is_member(self) -> bool:
        """Whether it is a single value, `member`."""
        return self.member is not _NoMember


@dataclass(frozen=True)
class Properties:
    """The properties of an object."""

    declared: dict[str, Json]  # schemas by name
    required: frozenset[str]
    other: Json  # the schema of all other properties; False if there are none
    dynamic: bool  # no property is declared: any may exist

    def of(self, name: str) -> Json:
        """The schema of a property; False if it is certainly absent."""
        return self.declared.get(name, self.other)


def linked(schema: Json) -> Json:
    """`schema` with each local reference replaced by the object that it names.

    The result is a graph that may have cycles. Unresolvable references stay.
    """
    return _Linking(schema).of(schema)


class Linked:
    """`linked` for many schemas: equal schemas become the same object.

    Use one instance for given and another for required schemas: a schema is not compared with
    itself.
    """

    def __init__(self) -> None:
        self._made: dict[str, Json] = {}

    def of(self, schema: Json) -> Json:
        """The schema with its references replaced, as `linked` does."""
        text = json.dumps(schema)
        if text not in self._made:
            self._made[text] = linked(schema)
        return self._made[text]


class _Linking:
    def __init__(self, root: Json) -> None:
        self._references = References(root)
        self._made: dict[int, Part] = {}

    def of(self, value: Json) -> Json:
        if isinstance(value, list):
            return [self.of(item) for item in value]
        if not isinstance(value, dict):
            return value
        if id(value) in self._made:
            return self._made[id(value)]
        made: Part = {}
        self._made[id(value)] = made
        for keyword, inner in value.items():
            if keyword in NAMED and isinstance(inner, dict):
                made[keyword] = {name: self.of(part) for name, part in inner.items()}
            else:
                made[keyword] = inner if keyword in DATA else self.of(inner)
        for keyword, target in self._references.targets(value):
            del made[keyword]
            made["allOf"] = [*made.get("allOf", []), self.of(target)]
        return made


def conjuncts(schema: Json) -> tuple[Part, ...]:
    """The schemas without allOf that a value must meet, all of them."""
    return tuple(_conjuncts(schema, set()))


def _conjuncts(schema: Json, seen: set[int]) -> Iterator[Part]:
    if schema is False:
        yield NOTHING
    if not isinstance(schema, dict) or id(schema) in seen:
        return
    seen.add(id(schema))
    inner = schema.get("allOf")
    if not isinstance(inner, list):
        if schema:
            yield schema
        return
    own = {keyword: value for keyword, value in schema.items() if keyword != "allOf"}
    if own:
        yield own
    for part in inner:
        yield from _conjuncts(part, seen)


def alternatives_of(schema: Json) -> list[tuple[Part, ...]] | None:
    """The ways to meet `schema`, with anyOf and oneOf expanded; None if there are too many.

    Each way is a tuple of schemas that a value must meet, all of them.
    """
    found = list(islice(_spread(conjuncts(schema), 0), _MAX_ALTERNATIVES + 1))
    return found if len(found) <= _MAX_ALTERNATIVES else None


def _spread(parts: tuple[Part, ...], depth: int) -> Iterator[tuple[Part, ...]]:
    for at, part in enumerate(parts):
        for keyword in _CHOICES:
            branches = part.get(keyword)
            if isinstance(branches, list):
                if keyword == "oneOf":
                    branches = _exclusive(branches)
                own = {key: value for key, value in part.items() if key != keyword}
                rest = (*parts[:at], *([own] if own else []), *parts[at + 1 :])
                if depth >= _MAX_DEPTH:
                    branches = [True]  # a superset of the branches is always correct
                for branch in branches:
                    yield from _spread((*rest, *conjuncts(branch)), depth + 1)
                return
    yield parts


def _exclusive(branches: list[Json]) -> list[Json]:
    """The branches of a oneOf without the types that several of them allow, because a value that
    meets two branches does not meet the oneOf. Only for branches with types only."""
    if not all(isinstance(branch, dict) and set(branch) == {"type"} for branch in branches):
        return branches
    types = [branch["type"] for branch in branches]
    listed = [names if isinstance(names, list) else [names] for names in types]
    # An integer is a number too, so neither of them is removed.
    times = {name: sum(name in names for names in listed) for names in listed for name in names}
    kept = [
        [name for name in names if times[name] == 1 or name in ("integer", "number")]
        for names in listed
    ]
    return [{"type": names} for names in kept if names]


def alternatives(schema: Json) -> list[Alternative] | None:
    """The alternatives for a value of `schema`; empty if nothing meets it, None if too many."""
    spread = alternatives_of(schema)
    if spread is None:
        return None
    found = [one for parts in spread for one in _alternatives_in(parts)]
    return found if len(found) <= 4 * _MAX_ALTERNATIVES else None


def _alternatives_in(parts: tuple[Part, ...]) -> Iterator[Alternative]:
    kinds, declared = kinds_of(parts)
    listed = [members for part in parts if (members := members_of(part)) is not None]
    if not listed:
        yield from (Alternative(kind, parts, declared) for kind in kinds)
        return
    bounds = [bound for part in parts if (bound := _bounds_in(part))]
    for member in listed[0]:
        everywhere = all(contains(members, member) for members in listed[1:])
        if any(validate_here(bound, member) for bound in bounds):
            continue
        if everywhere and any(is_a(kind_of(member), kind) for kind in kinds):
            yield Alternative(kind_of(member), parts, declared=True, member=member)


def _bounds_in(part: Part) -> Part:
    """The keywords of a part about numbers and strings, without their type."""
    return {keyword: part[keyword] for keyword in _BOUNDS if keyword in part}


def kinds_of(parts: Iterable[Part]) -> tuple[tuple[str, ...], bool]:
    """The kinds that all parts allow, and whether any part states a type."""
    kinds: tuple[str, ...] = KINDS
    declared = False
    for part in parts:
        types = part.get("type")
        if types is None:
            continue
        names = types if isinstance(types, list) else [types]
        declared = True
        kinds = _common(kinds, tuple(names))
    return kinds, declared


@lru_cache(maxsize=256)
def _common(kinds: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for kind in kinds:
        if any(is_a(kind, name) for name in names):
            found[kind] = None
        elif kind == "number" and "integer" in names:
            found["integer"] = None
    return tuple(found)


def is_a(kind: str, name: str) -> bool:
    """Whether every value of `kind` has the JSON Schema type `name`."""
    return kind == name or (kind == "integer" and name == "number")


def members_of(part: Part) -> list[Json] | None:
    """The values that a part lists (const, enum); None if it lists none."""
    if "const" in part:
        return [part["const"]]
    listed = part.get("enum")
    return listed if isinstance(listed, list) else None


def contains(members: Iterable[Json], value: Json) -> bool:
    """Whether `value` is among `members` as JSON: 1.0 is 1, true is not."""
    text = ijson.canonical(value)
    return any(ijson.canonical(member) == text for member in members)


def kind_of(value: Json) -> str:
    """The kind of a value; integer for every number without fraction."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if float(value).is_integer() else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def properties_of(parts: Iterable[Part]) -> Properties:
    """The properties of an object that meets all `parts`."""
    listed = list(parts)
    if len(listed) == 1:
        return _properties_in(listed[0])
    names = dict.fromkeys(name for part in listed for name in _mapping(part, "properties"))
    required = frozenset(
        name
        for part in listed
        if isinstance(part.get("required"), list)
        for name in part["required"]
    )
    others = [part["additionalProperties"] for part in listed if "additionalProperties" in part]
    patterns = any(_mapping(part, "patternProperties") for part in listed)
    dynamic = not names and not others
    # A pattern may match any name that is not declared, and then the others do not count.
    other = True if patterns else meet(others) if others else dynamic
    return Properties(
        declared={name: meet(_property(part, name) for part in listed) for name in names},
        required=required,
        other=other,
        dynamic=dynamic,
    )


def _properties_in(part: Part) -> Properties:
    """`properties_of` for the common case of one part."""
    declared = {name: _saying(schema) for name, schema in _mapping(part, "properties").items()}
    required = part.get("required")
    patterns = bool(_mapping(part, "patternProperties"))
    dynamic = not declared and "additionalProperties" not in part
    other: Json = dynamic
    if "additionalProperties" in part:
        other = _saying(part["additionalProperties"])
    return Properties(
        declared=declared,
        required=frozenset(required) if isinstance(required, list) else frozenset(),
        other=True if patterns else other,
        dynamic=dynamic,
    )


def _saying(schema: Json) -> Json:
    """The schema; True if it is empty."""
    return True if schema == {} and not isinstance(schema, Unknown) else schema


def _property(part: Part, name: str) -> Json:
    properties = _mapping(part, "properties")
    if name in properties:
        return properties[name]
    return True if "patternProperties" in part else part.get("additionalProperties", True)


def items_of(parts: Iterable[Part], at: int | None) -> Json:
    """The schema of the item at index `at`; of those after prefixItems if it is None."""
    return meet(_item(part, at) for part in parts)


def _item(part: Part, at: int | None) -> Json:
    first = part.get("prefixItems")
    if at is not None and isinstance(first, list) and at < len(first):
        return first[at]
    return part.get("items", True)


def meet(schemas: Iterable[Json]) -> Json:
    """One schema that requires all of `schemas`; the same object if only one is not empty."""
    saying = [s for s in schemas if s is not True and (isinstance(s, Unknown) or s != {})]
    if any(schema is False for schema in saying):
        return False
    if not saying:
        return True
    return saying[0] if len(saying) == 1 else _as_narrowed({"allOf": saying}, saying)


def union(schemas: Iterable[Json]) -> Json:
    """One schema that allows the values of any of `schemas`."""
    listed = list(schemas)
    if any(isinstance(schema, Unknown) for schema in listed):
        return Unknown()
    if len(listed) == 1:
        return listed[0]
    return _as_narrowed({"anyOf": listed}, listed)


def _as_narrowed(made: Part, of: Iterable[Json]) -> Part:
    return Narrowed(made) if any(isinstance(schema, Narrowed) for schema in of) else made


def _mapping(part: Part, keyword: str) -> dict[str, Json]:
    value = part.get(keyword)
    return value if isinstance(value, dict) else {}


def closed(properties: Mapping[str, Json], required: Iterable[str] | None = None) -> Json:
    """An object with exactly these properties; `required` are all of them by default."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }
