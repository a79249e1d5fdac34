"""The size of the result of each function, and its cost, from the sizes of its arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from waypost.expressions.estimates.known import is_list_of_scalars, is_map
from waypost.expressions.estimates.linear import (
    Linear,
    Quantities,
    constant,
    either,
    numeric,
    plus,
    times,
)
from waypost.expressions.estimates.lists import LIST_FUNCTIONS
from waypost.expressions.estimates.numbers import of_call
from waypost.expressions.estimates.sizes import (
    CONTROL,
    ITEM,
    SCALAR,
    Data,
    Element,
    Made,
    Size,
    flat,
    one_of,
    texts_of,
    together,
)
from waypost.expressions.tree import Call, Constant, Expr

_NUMBER: Final = 24.0  # the longest text of a number or a boolean
_FORMATTED: Final = 80.0  # the most that a verb adds to its argument, unless it has a precision
_PRECISE: Final = 1500.0  # %.1000f, the largest precision there is
_DOUBLE: Final = 330.0  # the digits of the largest double before its point, and what is around
_PRECISION: Final = re.compile(r"%\.(\d+)")
_VERBS: Final = re.compile(r"%(.)", re.DOTALL)
_PLAIN_VERBS: Final = frozenset("sd%")  # they add no more to an argument than its digits
_LONGEST_ESCAPE: Final = 6  # of one character in JSON, such as \u0001
_PATTERN: Final = 16.0  # characters of a pattern that cost as much as one more pass over the text

# These neither copy nor scan their arguments.
FREE: Final = frozenset(
    (
        *("_[_]", "_[?_]", "_?._", "_?_:_", "_&&_", "_||_", "!_", "-_", "@not_strictly_false"),
        *("_-_", "_*_", "_/_", "_%_", "hasValue", "value", "orValue", "or", "type"),
        *("optional.of", "optional.none", "startsWith", "endsWith"),
    )
)
# These scan their arguments and return a scalar.
_TELLING: Final = frozenset(
    (
        *("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in", "size"),
        *("int", "uint", "double", "bool"),
    )
)
_SEARCHING: Final = frozenset(("contains", "indexOf", "lastIndexOf", "matches"))
# The library searches a text, and compares scalars of a list, so much faster than it compares maps.
_SEARCH_SPEED: Final = 1 / 8
_SCALARS_SPEED: Final = 1 / 4


@dataclass(frozen=True)
class Outcome:
    """The size of a result, the bytes it allocates and the bytes read for it."""

    size: Size
    built: Linear
    read: Linear


@dataclass(frozen=True)
class Applied:
    """A call with the sizes of its parts, the target first."""

    call: Call
    sizes: list[Size]
    known: Quantities


def result_of(call: Call, sizes: list[Size], known: Quantities) -> Outcome:
    """The outcome of `call` for parts of these `sizes`, the target first."""
    looked: Linear = constant(SCALAR)
    for size in sizes:
        looked = plus(looked, size.bytes)
    name = call.function
    if name in FREE or name.startswith("math."):
        return Outcome(_selected(name, call, sizes, known), constant(SCALAR), constant(SCALAR))
    if name == "@in" and is_map(sizes[1]):
        return Outcome(flat(SCALAR), constant(SCALAR), plus(sizes[0].bytes, constant(ITEM)))
    if name == "@in" and is_list_of_scalars(sizes[1]):
        read = plus(sizes[0].bytes, sizes[1].bytes, _SCALARS_SPEED)
        return Outcome(flat(SCALAR), constant(SCALAR), read)
    if name in _TELLING:
        return Outcome(flat(SCALAR, number=of_call(name, sizes, known)), constant(SCALAR), looked)
    if name in LIST_FUNCTIONS and len(sizes) == len(call.args):
        result = LIST_FUNCTIONS[name](sizes)
        return Outcome(result, result.bytes, plus(looked, result.bytes))
    if name in _SEARCHING:
        longest = numeric(sizes[1].bytes, known) if len(sizes) > 1 else 0.0
        speed = 1.0 if name == "matches" else _SEARCH_SPEED
        read = plus(looked, sizes[0].bytes, longest / _PATTERN * speed)
        return Outcome(flat(SCALAR), constant(SCALAR), read)
    made = _MAKERS.get(name, _of_any)(Applied(call, sizes, known))
    searched = numeric(sizes[1].bytes, known) / _PATTERN if name in ("replace", "split") else 0.0
    longest = searched * _SEARCH_SPEED
    read = plus(plus(looked, sizes[0].bytes, longest) if sizes else looked, made.bytes)
    built = plus(made.bytes, made.count, ITEM) if name in ("split", "keys") else made.bytes
    return Outcome(made, built, read)


def _selected(name: str, call: Call, sizes: list[Size], known: Quantities) -> Size:
    if name in ("_[_]", "_[?_]", "_?._"):
        name_of_field = _literal(call.args[-1])
        return sizes[0].item if name_of_field is None else sizes[0].field(name_of_field)
    if name == "_?_:_":
        return one_of(sizes[1], sizes[2])
    if name in ("orValue", "or"):
        return one_of(sizes[0], sizes[1])
    if name in ("value", "optional.of"):
        return sizes[0]
    return flat(SCALAR, number=of_call(name, sizes, known))


def _sum(at: Applied) -> Size:
    both = together(at.sizes[0], at.sizes[1])
    return replace(both, number=of_call("_+_", at.sizes, at.known))


def _piece(at: Applied) -> Size:
    """A part of a text, or its characters in another order."""
    text = at.sizes[0]
    return Made(text.bytes, text.count, characters=text.chars)


def _cased(at: Applied) -> Size:
    text = at.sizes[0]

    def characters(char: str) -> Linear:
        return plus(text.chars(char.lower()), text.chars(char.upper()))

    return Made(text.bytes, text.count, characters=characters)


def _char(_: Applied) -> Size:
    return flat(SCALAR)


def _joined(at: Applied) -> Size:
    items, count = at.sizes[0].items, at.sizes[0].count
    if len(at.sizes) == 1:
        return Made(items.bytes, items.bytes, characters=items.chars)
    between = at.sizes[1]

    def characters(char: str) -> Linear:
        return plus(items.chars(char), times(between.chars(char), count, at.known))

    size = plus(items.bytes, times(between.bytes, count, at.known))
    return Made(size, size, characters=characters)


def _matches(text: Size, pattern: Size) -> Linear:
    """How often `pattern` occurs in `text`."""
    patterns = texts_of(pattern)
    if not patterns or "" in patterns:
        return plus(text.bytes, constant(1.0))
    most = text.occurrences(patterns[0])
    for one in patterns[1:]:
        most = either(most, text.occurrences(one))
    return most


def _split(at: Applied) -> Size:
    text = at.sizes[0]
    matches = _matches(text, at.sizes[1])
    count = plus(matches, constant(1.0))
    piece = Made(text.bytes, text.count, characters=text.chars)
    pieces = Made(plus(text.bytes, count, SCALAR), text.count, characters=text.chars)
    return Made(
        plus(text.bytes, count, SCALAR),
        count,
        all_items=lambda: pieces,
        one_item=lambda: piece,
    )


def _replaced(at: Applied) -> Size:
    text, by = at.sizes[0], at.sizes[2]
    put = _literal(at.call.args[1])
    matches = _matches(text, at.sizes[1])
    grown = len(put.encode(errors="replace")) if put is not None else numeric(by.bytes, at.known)
    size = plus(text.bytes, matches, float(grown))

    def characters(char: str) -> Linear:
        each = float(put.count(char)) if put is not None and char != CONTROL else float(grown)
        return plus(text.chars(char), matches, each)

    return Made(size, size, characters=characters)


def _quoted(text: Size) -> Size:
    """A text in quotes, with special characters escaped."""
    quotes, slashes, controls = text.chars('"'), text.chars("\\"), text.chars(CONTROL)
    added = plus(plus(plus(constant(2.0), quotes), slashes), controls, 6.0)

    def characters(char: str) -> Linear:
        if char == CONTROL:
            return constant(0.0)
        return plus(text.chars(char), added)

    size = plus(text.bytes, added)
    return Made(size, size, characters=characters)


def _quote(at: Applied) -> Size:
    return _quoted(at.sizes[0])


def _json(at: Applied) -> Size:
    return _as_json(at.sizes[0])


def _as_json(value: Size) -> Size:
    exact = _exact_json(value)
    if exact is not None:
        return exact
    if isinstance(value, Made) and value.fields:
        return _json_object(value.fields)
    # Every scalar may be a number, every item has a comma and every key quotes and a colon.
    plain = Made(plus({}, value.bytes, 4.0), value.count, characters=value.chars)
    return _quoted(plain if not _is_text(value) else value)


def _json_object(fields: Mapping[str, Size]) -> Size:
    """The text of an object whose keys are literals: those of its values, and what is between."""
    parts = [_as_json(field) for field in fields.values()]
    between = 2.0 + sum(_LONGEST_ESCAPE * len(key) + 4.0 for key in fields)

    def characters(char: str) -> Linear:
        total = constant(0.0 if char == CONTROL else between)
        for part in parts:
            total = plus(total, part.chars(char))
        return total

    size = constant(SCALAR + between)
    for part in parts:
        size = plus(size, part.bytes)
    return Made(size, size, characters=characters)


def _exact_json(value: Size) -> Size | None:
    """The size of the JSON text of known data, and of the elements of a loop over known data."""
    if isinstance(value, Data):
        return value.as_json()
    if isinstance(value, Element):
        total, top = _exact_json(value.total), _exact_json(value.top)
        if total is not None and top is not None:
            return Element(value.loop, (*value.place, "json()"), total, top, value.known)
    return None


def _is_text(value: Size) -> bool:
    """Whether it is certainly a text, which has no items."""
    return isinstance(value, Made) and (
        value.constant_text is not None
        or (value.characters is not None and value.all_items is None and not value.fields)
    )


def _text(at: Applied) -> Size:
    value = at.sizes[0]
    size = plus(value.bytes, constant(_NUMBER))
    return Made(size, size, characters=lambda char: plus(value.chars(char), constant(_NUMBER)))


def _formatted(at: Applied) -> Size:
    pattern = _literal(at.call.target) if at.call.target is not None else None
    verb = _PRECISE
    if pattern is not None and "." not in pattern:
        verb = _FORMATTED
    elif pattern is not None and pattern.count("%.") == len(found := _PRECISION.findall(pattern)):
        verb = min(_PRECISE, _DOUBLE + max(map(int, (digits[:5] for digits in found)), default=0))
    if pattern is not None and set(_VERBS.findall(pattern)) <= _PLAIN_VERBS:
        verb = _NUMBER
    arguments = at.sizes[-1]
    size = plus(plus(at.sizes[0].bytes, arguments.items.bytes, 4.0), arguments.count, verb)
    return Made(size, size)


def _keys(at: Applied) -> Size:
    value = at.sizes[0]
    if isinstance(value, Data):
        listed = (tuple(list(v) for v in group if isinstance(v, Mapping)) for group in value.groups)
        return Data(tuple(listed))
    return Made(value.bytes, value.count)


def _of_any(at: Applied) -> Size:
    size: Linear = constant(64.0)
    for part in at.sizes:
        size = plus(size, part.bytes, 2.0)
    return Made(size, size)


def _literal(expr: Expr | None) -> str | None:
    return expr.string if isinstance(expr, Constant) else None


_Maker = Callable[[Applied], Size]
_MAKERS: Final[Mapping[str, _Maker]] = {
    "_+_": _sum,
    **dict.fromkeys(("trim", "substring", "reverse"), _piece),
    **dict.fromkeys(("lowerAscii", "upperAscii"), _cased),
    "charAt": _char,
    "join": _joined,
    "split": _split,
    "replace": _replaced,
    "strings.quote": _quote,
    "json": _json,
    "string": _text,
    "format": _formatted,
    "keys": _keys,
}
