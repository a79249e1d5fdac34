"""The sizes of the values of an expression before it runs: exact for data, bounds for results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Protocol

from waypost.expressions.estimates.linear import (
    Linear,
    Quantities,
    Quantity,
    constant,
    either,
    numeric,
    plus,
    summed,
)
from waypost.expressions.values import Unfit, compact_json
from waypost.protocol.ijson import Json

SCALAR: Final = 8.0
HOLDER: Final = 64.0  # an empty list or map
ITEM: Final = 48.0  # what a list of the library costs for each of its elements
CONTROL: Final = "\x00"  # stands for every control character when characters are counted
Interval = tuple[float, float]  # the least and the largest value of a number
# Longer lists are not examined one by one. 1 MiB of JSON, as much as an expression may read of one
# output, has no more elements than that.
_SHARP: Final = 600_000
_TEXTS: Final = 64  # so many patterns are searched for one by one


class Size(Protocol):
    """Bounds of a value. For the element of a loop they are linear in quantities of that loop."""

    @property
    def bytes(self) -> Linear:
        """Of the whole value."""

    @property
    def count(self) -> Linear:
        """How many elements or entries it has."""

    @property
    def items(self) -> Size:
        """All its elements together: the sums of their bytes and of their counts."""

    @property
    def item(self) -> Size:
        """The largest of its elements."""

    def field(self, name: str) -> Size:
        """The field of a map."""

    def chars(self, char: str) -> Linear:
        """How often one character occurs in a text."""

    def occurrences(self, pattern: str) -> Linear:
        """How often `pattern` occurs in a text."""


@dataclass(frozen=True, eq=False)
class Data:
    """Values that are known: the largest sum over any of the `groups` of them."""

    groups: tuple[tuple[Json, ...], ...]
    quoted: bool = False  # the result of json(...), which must not grow by repeated quoting
    _fields: dict[str, Data] = field(default_factory=dict)

    @cached_property
    def bytes(self) -> Linear:
        """As `Size.bytes`."""
        return self._largest(measure)

    @cached_property
    def count(self) -> Linear:
        """As `Size.count`."""
        return self._largest(lambda value: float(len(value)) if _has_items(value) else 0.0)

    @cached_property
    def items(self) -> Size:
        """As `Size.items`."""
        groups = tuple(tuple(_items(group)) for group in self.groups)
        if sum(map(len, groups)) > _SHARP:
            return Made(bytes=self.bytes, count=self.bytes)
        return Data(groups)

    @cached_property
    def item(self) -> Size:
        """As `Size.item`."""
        if numeric(self.count, {}) > _SHARP:
            return Made(bytes=self.bytes, count=self.bytes)
        return Data(tuple((item,) for group in self.groups for item in _items(group)))

    def field(self, name: str) -> Size:
        """As `Size.field`."""
        if name not in self._fields:
            groups = (
                tuple(v[name] for v in group if isinstance(v, Mapping) and name in v)
                for group in self.groups
            )
            self._fields[name] = Data(tuple(groups))
        return self._fields[name]

    def chars(self, char: str) -> Linear:
        """As `Size.chars`."""
        return self._largest(lambda value: _count_of(value, char))

    def occurrences(self, pattern: str) -> Linear:
        """As `Size.occurrences`."""
        return self._largest(lambda value: _count_of(value, pattern))

    def as_json(self) -> Data | None:
        """The size of its JSON text; None if it has none."""
        if self.quoted or numeric(self.bytes, {}) > _JSON_MADE:
            return None
        if any(measure(value) > _LONGEST_JSON for group in self.groups for value in group):
            return None
        try:
            made = (tuple(compact_json(value) for value in group) for group in self.groups)
            return Data(tuple(made), quoted=True)
        except Unfit:
            return None  # the evaluation reports it

    def _largest(self, of: Callable[[Json], float]) -> Linear:
        return constant(max((sum(map(of, group)) for group in self.groups), default=0.0))


_JSON_MADE: Final = 32 * 1024 * 1024
_LONGEST_JSON: Final = 4 * 1024 * 1024  # of one value: making it holds the interpreter


@dataclass(frozen=True, eq=False)
class Made:
    """A value that the expression builds. It bounds all parts that have no separate bound."""

    bytes: Linear
    count: Linear
    all_items: Callable[[], Size] | None = None
    one_item: Callable[[], Size] | None = None
    fields: Mapping[str, Size] = field(default_factory=dict)
    characters: Callable[[str], Linear] | None = None
    constant_text: str | None = None
    texts: tuple[str, ...] | None = None  # all the texts that it can be, if that is known
    number: Interval | None = None  # of a number whose value is bounded

    @property
    def items(self) -> Size:
        """As `Size.items`."""
        return self.all_items() if self.all_items else Made(self.bytes, self.bytes)

    @property
    def item(self) -> Size:
        """As `Size.item`."""
        return self.one_item() if self.one_item else Made(self.bytes, self.bytes)

    def field(self, name: str) -> Size:
        """As `Size.field`."""
        return self.fields.get(name) or Made(self.bytes, self.bytes, characters=self.characters)

    def chars(self, char: str) -> Linear:
        """As `Size.chars`."""
        if self.constant_text is not None:
            return constant(_count_of(self.constant_text, char))
        return self.characters(char) if self.characters else self.bytes

    def occurrences(self, pattern: str) -> Linear:
        """Of every pattern each character must be there, so the rarest bounds it."""
        if self.constant_text is not None:
            return constant(float(self.constant_text.count(pattern)))
        if not pattern:
            return plus(self.bytes, constant(1.0))
        bounds = (plus({}, self.chars(char), 1.0 / pattern.count(char)) for char in set(pattern))
        return min(bounds, key=lambda linear: (sum(linear.values()), sorted(linear.values())))


@dataclass(frozen=True, eq=False)
class Element:
    """The element of one loop: of all of them together `total`, of one at most `top`."""

    loop: int
    place: tuple[object, ...]  # which part of the element it is, for the names of its quantities
    total: Size
    top: Size
    known: Quantities

    @property
    def bytes(self) -> Linear:
        """As `Size.bytes`."""
        return self._quantity("bytes", lambda size: size.bytes)

    @property
    def count(self) -> Linear:
        """As `Size.count`."""
        return self._quantity("count", lambda size: size.count)

    @property
    def items(self) -> Size:
        """As `Size.items`."""
        return self._part("[]", lambda size: size.items)

    @property
    def item(self) -> Size:
        """As `Size.item`. Of each element it is no larger than all its items together, so over the
        loop it is no larger than all items of all elements."""
        place = (*self.place, "[x]")
        return Element(self.loop, place, self.total.items, self.top.item, self.known)

    def field(self, name: str) -> Size:
        """As `Size.field`."""
        return self._part(name, lambda size: size.field(name))

    def chars(self, char: str) -> Linear:
        """As `Size.chars`."""
        return self._quantity(("chars", char), lambda size: size.chars(char))

    def occurrences(self, pattern: str) -> Linear:
        """As `Size.occurrences`."""
        return self._quantity(("in", pattern), lambda size: size.occurrences(pattern))

    def _quantity(self, what: object, of: Callable[[Size], Linear]) -> Linear:
        name = (self.loop, (*self.place, what))
        if name not in self.known:
            top = numeric(of(self.top), self.known)
            self.known[name] = Quantity(top, lambda: of(self.total))
        return {name: 1.0}

    def _part(self, step: str, of: Callable[[Size], Size]) -> Size:
        place = (*self.place, step)
        return Element(self.loop, place, of(self.total), of(self.top), self.known)


@dataclass(frozen=True, eq=False)
class Summed:
    """The sum of what all iterations of a loop build."""

    loop: int
    turns: Linear
    step: Size
    known: Quantities

    @property
    def bytes(self) -> Linear:
        """As `Size.bytes`."""
        return self._sum(self.step.bytes)

    @property
    def count(self) -> Linear:
        """As `Size.count`."""
        return self._sum(self.step.count)

    @property
    def items(self) -> Size:
        """As `Size.items`."""
        return Summed(self.loop, self.turns, self.step.items, self.known)

    @property
    def item(self) -> Size:
        """As `Size.item`."""
        return Numbers(self.step.item, self.known)

    def field(self, name: str) -> Size:
        """As `Size.field`."""
        return Summed(self.loop, self.turns, self.step.field(name), self.known)

    def chars(self, char: str) -> Linear:
        """As `Size.chars`."""
        return self._sum(self.step.chars(char))

    def occurrences(self, pattern: str) -> Linear:
        """As `Size.occurrences`."""
        return self._sum(self.step.occurrences(pattern))

    def _sum(self, linear: Linear) -> Linear:
        return summed(linear, self.loop, self.turns, self.known)


@dataclass(frozen=True, eq=False)
class Numbers:
    """The largest that `of` can be, as numbers: outside of its loop nothing else is known."""

    of: Size
    known: Quantities

    @property
    def bytes(self) -> Linear:
        """As `Size.bytes`."""
        return self._number(self.of.bytes)

    @property
    def count(self) -> Linear:
        """As `Size.count`."""
        return self._number(self.of.count)

    @property
    def items(self) -> Size:
        """As `Size.items`."""
        return Numbers(self.of.items, self.known)

    @property
    def item(self) -> Size:
        """As `Size.item`."""
        return Numbers(self.of.item, self.known)

    def field(self, name: str) -> Size:
        """As `Size.field`."""
        return Numbers(self.of.field(name), self.known)

    def chars(self, char: str) -> Linear:
        """As `Size.chars`."""
        return self._number(self.of.chars(char))

    def occurrences(self, pattern: str) -> Linear:
        """As `Size.occurrences`."""
        return self._number(self.of.occurrences(pattern))

    def _number(self, linear: Linear) -> Linear:
        return constant(numeric(linear, self.known))


def flat(size: float, *, number: Interval | None = None) -> Size:
    """A scalar or a value of which only the size is known; `number` bounds its value."""
    return Made(constant(size), constant(size), number=number)


def literal(text: str) -> Size:
    """A text literal in the expression."""
    size = constant(SCALAR + len(text.encode(errors="replace")))
    return Made(size, constant(float(len(text))), constant_text=text, texts=(text,))


def together(left: Size, right: Size) -> Made:
    """Two texts or two lists, one after the other."""
    return Made(
        plus(left.bytes, right.bytes),
        plus(left.count, right.count),
        all_items=lambda: together(left.items, right.items),
        one_item=lambda: one_of(left.item, right.item),
        characters=lambda char: plus(left.chars(char), right.chars(char)),
    )


def one_of(left: Size, right: Size) -> Size:
    """Either of two values."""
    texts = (*(texts_of(left) or ()), *(texts_of(right) or ()))
    return Made(
        either(left.bytes, right.bytes),
        either(left.count, right.count),
        all_items=lambda: one_of(left.items, right.items),
        one_item=lambda: one_of(left.item, right.item),
        characters=lambda char: either(left.chars(char), right.chars(char)),
        texts=texts if texts_of(left) and texts_of(right) and len(texts) <= _TEXTS else None,
    )


def texts_of(size: Size) -> tuple[str, ...] | None:
    """All the texts that a value can be; None if that is not known, or if they are many."""
    if isinstance(size, Element):
        return texts_of(size.top)
    if isinstance(size, Made):
        return size.texts
    if not isinstance(size, Data) or len(size.groups) > _TEXTS:
        return None
    values = [value for group in size.groups for value in group]
    alone = all(len(group) == 1 for group in size.groups)
    return tuple(map(str, values)) if alone and all(isinstance(v, str) for v in values) else None


def measure(value: Json) -> float:
    """The bytes of a known value."""
    if isinstance(value, str):
        return SCALAR + (len(value) if value.isascii() else len(value.encode(errors="replace")))
    if isinstance(value, Mapping):
        return HOLDER + sum(SCALAR + measure(key) + measure(item) for key, item in value.items())
    if isinstance(value, list):
        return HOLDER + sum(map(measure, value))
    return SCALAR


def _has_items(value: Json) -> bool:
    return isinstance(value, str | list | Mapping)


def _items(group: Iterable[Json]) -> Iterable[Json]:
    for value in group:
        if isinstance(value, list):
            yield from value
        elif isinstance(value, Mapping):
            yield from value.values()


def _count_of(value: Json, pattern: str) -> float:
    """Of a text exactly; anything else may become a text of about its size."""
    if not isinstance(value, str):
        return measure(value) if isinstance(value, list | Mapping) else SCALAR * 3
    if pattern == CONTROL:
        return float(sum(char < " " for char in value)) if not value.isprintable() else 0.0
    return float(value.count(pattern))
