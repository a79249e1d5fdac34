"""One step of a path through a schema: the schema of the field, and whether it can be absent; and
the schema of a literal."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from waypost.api.nodes.artifacts import TAKEN_SCHEMA
from waypost.compiler.problems import did_you_mean
from waypost.compiler.types.schemas import (
    Part,
    Unknown,
    alternatives_of,
    items_of,
    kinds_of,
    members_of,
    properties_of,
    union,
)
from waypost.expressions import protobuf
from waypost.expressions.tree import Constant
from waypost.protocol.ijson import MAX_SAFE_INTEGER, Json

_SHOWN = 10
_LENGTHS: Final = frozenset(("length", "size", "count", "len"))
# Fields with text that cannot contain null (S13).
_NO_NULL = ("container.args", "python.env", "container.env", "agent.env", "http.")
_OTHERWISE = frozenset(
    ("allOf", "anyOf", "oneOf", "enum", "const", "patternProperties", "$ref", "$dynamicRef")
)


@dataclass(frozen=True)
class FieldLookup:
    """The schema of a field, and whether the field exists."""

    schema: Json
    problem: str = ""  # why it cannot exist
    absent: bool = False  # it may be absent
    advice: str = ""  # the message, if it is absent only where its object is null
    undeclared: bool = False  # no schema names it, but additional properties are allowed


def field_of(schema: Json, name: str, *, where: str) -> FieldLookup:
    """Look up the field `name` of a value of `schema`; `where` is its expression, for messages."""
    if (
        isinstance(schema, dict)
        and schema.get("type") == "object"
        and not _OTHERWISE & schema.keys()
    ):
        return _plain_field_of(schema, name, where)
    spread = None if isinstance(schema, Unknown) else alternatives_of(schema)
    if not spread or any(not parts for parts in spread):
        return FieldLookup(Unknown())
    objects = [parts for parts in spread if "object" in kinds_of(parts)[0]]
    if not objects:
        return FieldLookup(Unknown(), problem=_no_object(spread, name, where))
    schemas: list[Json] = []
    known: dict[str, None] = {}
    found = [kinds_of(parts) for parts in spread]
    # Of a type that no schema declares, nothing is said.
    beside = {kind for kinds, said in found if said or "object" not in kinds for kind in kinds}
    absent, undeclared = not beside <= {"object", "null"}, False
    for parts in objects:
        if any(members_of(part) is not None for part in parts):
            return FieldLookup(Unknown())
        properties = properties_of(parts)
        inner = properties.of(name)
        if inner is False:
            known |= dict.fromkeys(properties.declared)
            absent = True
            continue
        says_nothing = inner is True or inner == {}
        if name not in properties.required:
            absent = absent or name in properties.declared
            undeclared = undeclared or not (says_nothing or name in properties.declared)
        schemas.append(Unknown() if says_nothing else inner)
    if not schemas:
        return FieldLookup(Unknown(), problem=no_field(name, known, where=where))
    nullable = "null" in beside and not (absent or undeclared)
    absent = absent or nullable
    return FieldLookup(
        union(schemas),
        absent=absent or undeclared,
        advice=_may_be_null(where) if nullable else "",
        undeclared=undeclared and not absent,
    )


def _may_be_null(where: str) -> str:
    """The message for a step into a value that may be null; `where` is its expression."""
    if where.endswith("[]"):  # an element in a loop
        within = where.removesuffix("[]")
        return f"elements of {within} may be null: write {within}.filter(r, r != null)"
    return f"{where} may be null: test {where} != null first"


def _plain_field_of(schema: Part, name: str, where: str) -> FieldLookup:
    """`field_of` for the common case: an object schema with properties only."""
    properties = schema.get("properties")
    declared = properties if isinstance(properties, dict) else {}
    if name not in declared:
        if "additionalProperties" not in schema and not declared:
            return FieldLookup(Unknown())
        other = schema.get("additionalProperties", False)
        if other is False:
            return FieldLookup(
                Unknown(), problem=no_field(name, declared, where=where), absent=True
            )
        if other is True or other == {}:
            return FieldLookup(Unknown())
        return FieldLookup(other, absent=True, undeclared=True)
    inner = declared[name]
    if inner is False:
        return FieldLookup(Unknown(), problem=no_field(name, declared, where=where), absent=True)
    absent = name not in (schema.get("required") or ())
    return FieldLookup(Unknown() if inner is True or inner == {} else inner, absent=absent)


def no_field(name: str, known: Iterable[str], *, where: str) -> str:
    """The message for a field that no schema declares."""
    names = list(known)
    node, _, last = where.rpartition(".")
    if last == "artifacts" and not names:
        return f"{node} makes no artifacts; add artifacts.out with the name {name} to it"
    has = f"it has {', '.join(names[:_SHOWN])}" if names else "it has no properties"
    return f"{where} has no {name!r}: {has}{did_you_mean(name, names)}"


def element_of(schema: Json, at: int | None) -> Json:
    """The schema of the item at index `at` of a list; of any item if it is None."""
    spread = None if isinstance(schema, Unknown) else alternatives_of(schema)
    lists = [parts for parts in spread or () if "array" in kinds_of(parts)[0] and parts]
    schemas = [item for parts in lists for item in _items(parts, at)]
    return union(schemas) if schemas else Unknown()


def _items(parts: tuple[Part, ...], at: int | None) -> Iterator[Json]:
    longest = max((len(part.get("prefixItems") or ()) for part in parts), default=0)
    for index in [*range(longest), None] if at is None else [at]:
        item = items_of(parts, index)
        if item is not False:
            yield Unknown() if item is True or item == {} else item


def _no_object(spread: Iterable[tuple[Part, ...]], name: str, where: str) -> str:
    kinds = dict.fromkeys(kind for parts in spread for kind in kinds_of(parts)[0])
    if name in _LENGTHS and not {"object", "null"} & kinds.keys():
        return f"{where} is {' or '.join(kinds)} and has no {name!r}: write size({where})"
    if list(kinds) == ["array"]:
        each = f"{where}.map(x, x.{name})" if name.isidentifier() else f"{where}.map(x, ...)"
        return (
            f"{where} is an array and has no {name!r}: take an item first, as in {where}[0], "
            f"or write {each}"
        )
    return f"{where} is {' or '.join(kinds) or 'nothing'} and has no field {name!r}"


def required_by(takes: Json) -> frozenset[str]:
    """The names of the properties that a schema requires."""
    required = takes.get("required") if isinstance(takes, dict) else None
    return frozenset(required) if isinstance(required, list) else frozenset()


def taken_by(below: str, *, is_text: bool) -> Json:
    """The schema of what an evaluated field of a node takes; True for any value.

    Args:
        below: The field, below its node.
        is_text: Whether the field is a string, which may hold templates.
    """
    if below in ("wait.until", "wait.duration", "concurrency.key"):
        return {"type": "string"}
    if below.startswith(("artifacts.", "agent.attachments[", "approval.attachments[")):
        return TAKEN_SCHEMA
    if below.startswith(_NO_NULL) and is_text and below != "http.body":
        return {"type": ["boolean", "number", "string", "array", "object"]}
    return True


def at_path(view: Json, steps: Iterable[str]) -> Json:
    """The schema of a path into values of `view`."""
    schema = view
    for step in steps:
        schema = field_of(schema, step, where="").schema
    return schema


def _whole(value: int) -> dict[str, Json]:
    return {"const": value} if abs(value) <= MAX_SAFE_INTEGER else {"type": "integer"}


_CONSTANTS: Final[Mapping[int, Callable[[Json], Json]]] = {
    1: lambda _: {"type": "null"},
    2: lambda value: {"const": bool(value)},
    3: lambda value: _whole(value if value < 1 << 63 else value - (1 << 64)),
    4: lambda value: _whole(value),
    5: lambda _: {"type": "number"},
}


def literal(expr: Constant) -> dict[str, Json]:
    """The schema of a literal: its value, as far as the type is one of JSON."""
    if expr.string is not None:
        return {"const": expr.string}
    for number, value in protobuf.fields(expr.raw):
        if number in _CONSTANTS:
            made: dict[str, Json] = _CONSTANTS[number](value)
            return made
    return Unknown()
