"""Compare values of one kind with one schema: what does not fit, and its message."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from waypost.compiler.types.intervals import LENGTHS, NUMBERS, Interval, Keywords
from waypost.compiler.types.schemas import (
    Alternative,
    Part,
    Properties,
    conjuncts,
    contains,
    is_a,
    kind_of,
    members_of,
    properties_of,
)
from waypost.protocol import schema, violation
from waypost.protocol.ijson import Json

_LEAVES: Final = (
    *("type", "enum", "const", "pattern", "format", "multipleOf"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"),
)
# Keywords that are not compared, by the kind that they apply to ("": any kind).
_OPAQUE: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("not", "if", "$ref", "$dynamicRef"),
    "object": (
        *("patternProperties", "propertyNames", "dependentSchemas", "dependentRequired"),
        *("unevaluatedProperties", "dependencies"),
    ),
    "array": ("contains", "unevaluatedItems"),
}
# These depend on keywords next to them; unevaluated... on all keywords.
_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {
    "if": ("then", "else"),
    "contains": ("minContains", "maxContains"),
}
_BY_ALL_BESIDE: Final = frozenset(("unevaluatedProperties", "unevaluatedItems"))


@dataclass(frozen=True)
class Misfit:
    """A place where a value does not fit, or may not fit."""

    path: str  # relative to the value, such as `.items[].price`
    gives: str  # the value, in words
    takes: str  # what the schema requires, in words
    certain: bool
    fix: str = ""  # advice


@dataclass(frozen=True)
class At:
    """The place that is compared, and how strictly.

    `path` is as in `Misfit`.
    """

    path: str = ""
    strict: bool = True  # all declared alternatives must fit; else one is enough
    defaults: bool = False  # properties with a default may be missing
    filled: frozenset[str] = frozenset()  # the properties of this object with a default

    def below(self, path: str) -> "At":
        """The place at `path` below this one, such as `.price` or `[]`."""
        return replace(self, path=self.path + path)


def describe(one: Alternative) -> str:
    """An alternative in a few words: `string`, `'low' (string)`."""
    if one.is_member:
        return violation.show(one.member)
    bounds = [text for part in one.parts for text in _bounds_in(part, one.kind)]
    return f"{one.kind} ({', '.join(bounds)})" if bounds else one.kind


def describe_all(given: Iterable[Alternative]) -> str:
    """Several alternatives in a few words; a kind includes its single values."""
    listed = list(given)
    whole = {one.kind for one in listed if not one.is_member}
    texts = [describe(one) for one in listed if not (one.is_member and one.kind in whole)]
    return " or ".join(dict.fromkeys(texts))


def demands(takes: Part) -> str:
    """What a schema requires, in a few words."""
    members = members_of(takes)
    if members is not None:
        return violation.phrase("enum", members) if members else "nothing"
    if "type" in takes:
        return violation.phrase("type", takes["type"])
    for keyword in ("anyOf", "oneOf"):
        if isinstance(takes.get(keyword), list):
            return f"one of the {len(takes[keyword])} alternatives of {keyword}"
    return "another value"


def _bounds_in(part: Part, kind: str) -> Iterator[str]:
    keywords = NUMBERS if kind in ("integer", "number") else LENGTHS.get(kind)
    for keyword in keywords or ():
        if keyword and keyword in part:
            yield violation.phrase(keyword, part[keyword])


def type_misfits(one: Alternative, takes: Part, at: At) -> Iterator[Misfit]:
    """Compare the kind of the value with the keyword `type`."""
    types = takes.get("type")
    if types is None:
        return
    names = types if isinstance(types, list) else [types]
    if any(is_a(one.kind, name) for name in names):
        return
    whole = one.kind == "number" and "integer" in names
    fix = "" if whole else fix_of([one.kind], names)
    yield Misfit(at.path, describe(one), violation.phrase("type", types), not whole, fix)


def listed_misfits(one: Alternative, takes: Part, at: At) -> Iterator[Misfit]:
    """Compare the value, or all values it can be, with `enum` and `const`."""
    members = members_of(takes)
    if members is None:
        return
    if one.is_member:
        if not contains(members, one.member):
            text = violation.phrase("enum", members)
            yield Misfit(at.path, describe(one), text, certain=True)
        return
    possible = [
        member
        for member in members
        if is_a(kind_of(member), one.kind)
        and not any(schema.validate_here(_leaves(part), member) for part in one.parts)
    ]
    every = {"null": 1, "boolean": 2}.get(one.kind)
    # Different ones: a list may name a value twice.
    if every is None or len(set(possible)) != every:
        text = violation.phrase("enum", members) if members else "nothing"
        yield Misfit(at.path, describe(one), text, certain=not possible)


def leaf_misfits(one: Alternative, takes: Part, at: At) -> Iterator[Misfit]:
    """Check a single value against the schema."""
    for problem in schema.validate_here(_leaves(takes), one.member):
        yield Misfit(at.path, problem.found, problem.expected, certain=True)


def _leaves(part: Part) -> Part:
    return {keyword: part[keyword] for keyword in _LEAVES if keyword in part}


def spelled_out(one: Alternative) -> Alternative:
    """A single array or object as a schema that only this value meets."""
    value = one.member
    if not one.is_member or isinstance(value, str):
        return one
    if isinstance(value, dict):
        properties = {name: {"const": item} for name, item in value.items()}
        part: Part = {"properties": properties, "required": list(value)}
        part["additionalProperties"] = False
    else:
        size = len(value)
        part = {"prefixItems": [{"const": item} for item in value], "items": False}
        part |= {"minItems": size, "maxItems": size}
    return replace(one, parts=(part,))


def bounded(
    one: Alternative, takes: Part, at: At, keywords: Keywords, *, whole: bool
) -> list[Misfit]:
    """Compare the range of a number, or of a length, with the bounds in `takes`.

    Args:
        one: What is given.
        takes: The schema it has to meet.
        at: Where in the value this is.
        keywords: The names of the bounds, in the order of `Interval.of`.
        whole: Only integers are possible.
    """
    allowed = Interval.of([takes], keywords, whole=whole)
    given = Interval.of(one.parts, keywords, whole=whole)
    if keywords == LENGTHS["object"]:
        given = given.at_least(len(properties_of(one.parts).required))
    if given.inside(allowed):
        return []
    bounds = [violation.phrase(key, takes[key]) for key in keywords if key and key in takes]
    return [Misfit(at.path, describe(one), " and ".join(bounds), certain=given.apart(allowed))]


def filled_in(takes: Json) -> frozenset[str]:
    """The properties that `apply_defaults` adds if they are missing."""
    declared = properties_of(conjuncts(takes)).declared
    return frozenset(
        name
        for name, inner in declared.items()
        if isinstance(inner, dict) and any("default" in part for part in conjuncts(inner))
    )


def missing(given: Properties, taken: Properties, at: At) -> list[Misfit]:
    """Misfits for the required properties that the given object lacks or may lack."""
    misfits = []
    for name in sorted(taken.required - given.required):
        if name in at.filled:
            continue
        has, wants = f"an object without {name!r}", f"a property {name!r}"
        if name in given.declared and given.declared[name] is not False:
            has = f"an object in which {name!r} may be absent"
            fix = f"add {name!r} to required where it is given, or remove it from required here"
            misfits.append(Misfit(at.path, has, wants, certain=at.strict, fix=fix))
        elif given.other is False:
            known = ", ".join(map(repr, list(given.declared)[:8])) or "none"
            misfits.append(Misfit(at.path, f"{has} (it has {known})", wants, certain=True))
        else:
            misfits.append(unproven(at, "an object with any properties", wants))
    return misfits


def opaque(one: Alternative, takes: Part, at: At) -> Iterator[Misfit]:
    """Misfits for the keywords of `takes` that are not compared, unless both have the same."""
    for keyword in (*_OPAQUE[""], *_OPAQUE.get(one.kind, ())):
        if keyword in takes and not any(_says_the_same(part, takes, keyword) for part in one.parts):
            text = f"what {keyword!r} asks for (it is not compared)"
            yield unproven(at, describe(one), text)


def _says_the_same(part: Part, takes: Part, keyword: str) -> bool:
    """Whether a keyword means the same in both: equal values, also of related keywords."""
    if keyword in _BY_ALL_BESIDE:
        return False
    together = (keyword, *_BESIDE.get(keyword, ()))
    return keyword in part and all(part.get(word) is takes.get(word) for word in together)


def fix_of(kinds: Iterable[str], names: Iterable[str] = ()) -> str:
    """How to make values of these kinds fit the types `names`; "" if there is no short advice."""
    if set(kinds) == {"null"}:
        return "replace null, as in x == null ? 'none' : x, or allow null too"
    plain = set(kinds) <= {"integer", "number", "boolean"}
    return "convert it with string(...)" if plain and list(names) == ["string"] else ""


def unproven(at: At, gives: str, takes: str) -> Misfit:
    """A misfit that is possible but not certain."""
    return Misfit(at.path, gives, takes, certain=False)


def doubted(found: list[Misfit]) -> list[Misfit]:
    """The same misfits, none of them certain."""
    return [replace(misfit, certain=False) for misfit in found]


def any_certain(found: Iterable[Misfit]) -> bool:
    """Whether at least one misfit is certain."""
    return any(misfit.certain for misfit in found)
