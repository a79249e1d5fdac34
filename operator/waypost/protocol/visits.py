"""How often a validator visits the parts of a schema for one value, counted before it does.

Two references to one definition, which again names another twice, are a kilobyte of text and
16 million visits. So the schemas that apply to the same place of a value are counted, each as
often as it is reached: of every part alone when a schema is accepted, and of all places of a value
before it is validated.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from waypost.protocol.ijson import Json
from waypost.protocol.references import References

# At one place of a value. An enum of objects and 1,000 alternatives are within it.
MAX_AT_ONE_PLACE: Final = 5_000
# For one value, beside _USUAL for each place in it: a tenth of a second or two.
MAX_VISITS: Final = 3_000_000
_USUAL: Final = 30.0
_MAX_PLACES: Final = 20_000
_MAX_STEPS: Final = 300_000

_SUBSCHEMAS: Final = ("not", "if", "then", "else")
_LISTS: Final = ("allOf", "anyOf", "oneOf")
_PATTERN: Final = 20.0
# What stands under unevaluated... is visited again to know what was evaluated.
_AGAIN: Final = 3.0
_TEXT_OF_A_VISIT: Final = 256
_TEXT_OF_A_COPY: Final = 64
# The keywords that give an error with a copy of the value; of lists of names, one for each name.
_ASSERTING: Final = frozenset(
    (
        *("type", "enum", "const", "not", "contains", "anyOf", "oneOf", "uniqueItems"),
        *("minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "multipleOf"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "propertyNames"),
        *("minProperties", "maxProperties", "additionalProperties", "unevaluatedProperties"),
        *("unevaluatedItems",),
    )
)
_NOTHING: Final[Json] = {"not": {}}  # what the schema `false` is, as an object
_FEW: Final = 4  # so many copies of a value are harmless


# How often schemas, by identity, are reached.
Times = dict[int, float]


class TooMany(Exception):
    """A schema takes more visits of a place, or of a value, than can be allowed."""


@dataclass(frozen=True)
class Cost:
    """What validating one value takes.

    Attributes:
        visits: Visits of schemas, weighted.
        copies: Places of the value that are copied if every keyword fails wherever it is reached:
            the library puts a copy of what failed into each error, and of the enum or const.
    """

    visits: float
    copies: float


@dataclass
class Place:
    """What applies to one place of a value, and to the places in it."""

    visits: float
    errors: float  # how many errors a value can have here, at most
    expected: float  # what the errors copy of the schema
    of_text: float  # what more is visited for a text, by its length
    of_items: float
    by_name: dict[str, Times]
    others: Times
    listed: list[Times]
    rest: Times
    made: dict[object, "Place"] = field(default_factory=dict)


class Visits:
    """The places of one schema, made when they are first met."""

    def __init__(self, schema: Json) -> None:
        self._root = schema
        self._known: dict[int, Json] = {}
        self._places: dict[frozenset[tuple[int, float]], Place] = {}
        self._references = References(schema)
        self._steps = 0

    def check(self) -> None:
        """Raises TooMany when a value, however small, costs too much where a part applies.

        What grows with the depth of a value, as in a tree of alternatives that name the tree
        again, is left to `of`.
        """
        for part in _parts(self._root):
            self._place({self._id(part): 1.0})

    def of(self, value: Json) -> Cost:
        """What validating `value` costs. Raises TooMany when it is not to be done."""
        total = excess = copies = 0.0
        pending: list[tuple[Place | None, Json, float]] = [(self._first(), value, 0.0)]
        while pending:
            place, at, above = pending.pop()
            if place is None:
                if above > _FEW:
                    copies += above * _places(at)
                continue
            here = place.visits
            above += place.errors
            copies += above * _size(at) + place.expected
            if isinstance(at, str):
                here += place.of_text * len(at) / _TEXT_OF_A_VISIT
            elif isinstance(at, dict):
                here += place.of_items * len(at)
                pending += [(inner, item, above) for inner, item in self._of_object(place, at)]
            elif isinstance(at, list):
                here += place.of_items * len(at)
                pending += [(inner, item, above) for inner, item in self._of_list(place, at)]
            total += here
            excess += max(here - _USUAL, 0.0)
            if excess > MAX_VISITS:
                raise TooMany
        return Cost(total, copies)

    def _of_object(
        self, place: Place, value: dict[str, Json]
    ) -> Iterator[tuple[Place | None, Json]]:
        for name, item in value.items():
            yield self._named(place, name) if name in place.by_name else self._other(place), item

    def _of_list(self, place: Place, value: list[Json]) -> Iterator[tuple[Place | None, Json]]:
        for at, item in enumerate(value):
            yield self._item(place, at) if at < len(place.listed) else self._rest(place), item

    def _first(self) -> Place:
        return self._place({self._id(self._root): 1.0})

    def _named(self, place: Place, name: str) -> Place | None:
        return self._inner(place, ("name", name), place.by_name[name])

    def _other(self, place: Place) -> Place | None:
        return self._inner(place, "others", place.others)

    def _item(self, place: Place, at: int) -> Place | None:
        return self._inner(place, ("item", at), place.listed[at])

    def _rest(self, place: Place) -> Place | None:
        return self._inner(place, "rest", place.rest)

    def _inner(self, place: Place, step: object, schemas: Times) -> Place | None:
        if not schemas:
            return None
        if step not in place.made:
            place.made[step] = self._place(schemas)
        return place.made[step]

    def _id(self, schema: Json) -> int:
        schema = _NOTHING if schema is False else schema
        self._known[id(schema)] = schema
        return id(schema)

    def _place(self, schemas: Times) -> Place:
        key = frozenset(schemas.items())
        if key not in self._places:
            if len(self._places) >= _MAX_PLACES:
                raise TooMany
            self._places[key] = self._made(self._in_place(schemas))
        return self._places[key]

    def _in_place(self, schemas: Times) -> list[tuple[dict[str, Any], float]]:
        """Every schema that applies to the same value, with how often it is reached."""
        order: list[int] = []
        state: dict[int, bool] = {}  # whether all below it was met
        pending = [(one, False) for one in schemas]
        while pending:
            one, done = pending.pop()
            if done:
                state[one] = True
                order.append(one)
            elif one not in state:
                state[one] = False
                pending.append((one, True))
                pending += [(below, False) for below, _ in self._below(self._known[one])]
        times = dict(schemas)
        position = {one: at for at, one in enumerate(order)}
        for one in reversed(order):
            for below, factor in self._below(self._known[one]):
                self._step()
                if position[below] < position[one]:  # else it refers to itself, which ends there
                    times[below] = times.get(below, 0.0) + times[one] * factor
        parts = [(self._known[one], times[one]) for one in order]
        return [(part, count) for part, count in parts if isinstance(part, dict)]

    def _below(self, schema: Json) -> Iterator[tuple[int, float]]:
        """The schemas that a schema applies to the same value."""
        if not isinstance(schema, dict):
            return
        factor = _AGAIN if any(k.startswith("unevaluated") for k in schema) else 1.0
        for keyword in _LISTS:
            listed = schema.get(keyword)
            for one in listed if isinstance(listed, list) else ():
                yield self._id(one), factor
        for keyword in _SUBSCHEMAS:
            if keyword in schema:
                yield self._id(schema[keyword]), factor
        for keyword in ("dependentSchemas", "dependencies"):
            for one in _mapping(schema, keyword).values():
                if isinstance(one, dict):
                    yield self._id(one), factor
        for _, target in self._references.targets(schema):
            yield self._id(target), factor

    def _made(self, parts: list[tuple[dict[str, Any], float]]) -> Place:
        visits = sum(times * _weight(part) for part, times in parts)
        if visits > MAX_AT_ONE_PLACE:
            raise TooMany
        names = {name for part, _ in parts for name in _mapping(part, "properties")}
        place = Place(
            visits=visits,
            errors=sum(times * _errors(part) for part, times in parts),
            expected=sum(times * _expected(part) for part, times in parts),
            of_text=sum(times for part, times in parts if "pattern" in part),
            of_items=sum(times * _of_each(part) for part, times in parts),
            by_name={name: {} for name in names},
            others={},
            listed=[{} for _ in range(max((_heads(part) for part, _ in parts), default=0))],
            rest={},
        )
        for part, times in parts:
            self._add_properties(place, part, times)
            self._add_items(place, part, times)
        return place

    def _add_properties(self, place: Place, part: dict[str, Any], times: float) -> None:
        own = _mapping(part, "properties")
        for name, schema in own.items():
            self._add(place.by_name[name], schema, times)
        # A pattern may match any name.
        anywhere = list(_mapping(part, "patternProperties").values())
        if "unevaluatedProperties" in part:
            anywhere.append(part["unevaluatedProperties"])
        unnamed = part.get("additionalProperties")
        for schema in [*anywhere, unnamed]:
            self._add(place.others, schema, times)
        if anywhere or isinstance(unnamed, dict):
            for name, counted in place.by_name.items():
                for schema in anywhere:
                    self._add(counted, schema, times)
                if name not in own:
                    self._add(counted, unnamed, times)

    def _add_items(self, place: Place, part: dict[str, Any], times: float) -> None:
        heads = part.get("prefixItems") or []
        everywhere = [part[key] for key in ("contains", "unevaluatedItems") if key in part]
        for at, counted in enumerate(place.listed):
            inner = heads[at] if at < len(heads) else part.get("items")
            for schema in (inner, *everywhere):
                self._add(counted, schema, times)
        for schema in (part.get("items"), *everywhere):
            self._add(place.rest, schema, times)

    def _add(self, counted: Times, schema: Json, times: float) -> None:
        self._step()
        if schema is False or (isinstance(schema, dict) and schema):
            known = self._id(schema)
            counted[known] = counted.get(known, 0.0) + times

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise TooMany


def _size(value: Json) -> float:
    """What a copy of a value takes beside what is in it: 1 for all but long texts."""
    return 1.0 + len(value) / _TEXT_OF_A_COPY if isinstance(value, str) else 1.0


def _places(value: Json) -> float:
    """What a copy of a value takes with all that is in it."""
    total, pending = 0.0, [value]
    while pending:
        at = pending.pop()
        total += _size(at)
        if isinstance(at, dict):
            pending.extend(at.values())
        elif isinstance(at, list):
            pending.extend(at)
    return total


def _errors(part: dict[str, Any]) -> float:
    required = part.get("required")
    dependent = _mapping(part, "dependentRequired").values()
    names = [required, *dependent]
    named = sum(len(listed) for listed in names if isinstance(listed, list))
    return float(len(_ASSERTING & part.keys()) + named)


def _expected(part: dict[str, Any]) -> float:
    """What an error copies of a schema: all members of an enum."""
    return sum(_places(part[keyword]) for keyword in ("enum", "const") if keyword in part)


def _weight(part: dict[str, Any]) -> float:
    weight = 1.0 + (_PATTERN if "pattern" in part else 0.0)
    listed = part.get("enum")
    if isinstance(listed, list):
        simple = all(not isinstance(member, list | dict) for member in listed)
        weight += len(listed) / (50 if simple else 1)
    return weight


def _of_each(part: dict[str, Any]) -> float:
    """Visits for every entry or item of a value, beside those of the schemas for it."""
    names = part.get("propertyNames")
    weight = float(sum(1 for _ in _parts(names))) * _PATTERN if isinstance(names, dict) else 0.0
    weight += _PATTERN * len(_mapping(part, "patternProperties"))
    return weight + (2.0 if part.get("uniqueItems") is True else 0.0)


def _heads(part: dict[str, Any]) -> int:
    heads = part.get("prefixItems")
    return len(heads) if isinstance(heads, list) else 0


def _mapping(part: dict[str, Any], keyword: str) -> dict[str, Json]:
    found = part.get(keyword)
    return found if isinstance(found, dict) else {}


def _parts(schema: Json) -> Iterator[dict[str, Any]]:
    pending = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            yield part
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
