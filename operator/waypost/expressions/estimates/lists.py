"""The sizes of the results of `chunk`, `flatten`, `zip` and `range`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from waypost.expressions.estimates.linear import Linear, constant, plus
from waypost.expressions.estimates.numbers import number_of
from waypost.expressions.estimates.sizes import (
    HOLDER,
    ITEM,
    SCALAR,
    Made,
    Size,
    flat,
    one_of,
    together,
)
from waypost.expressions.lists import MAX_RANGE


def _chunked(sizes: list[Size]) -> Size:
    whole, bounds = sizes[0], number_of(sizes[1])
    least = 1.0 if bounds is None else max(1.0, bounds[0])
    count = plus(constant(1.0), whole.count, 1.0 / least)
    size = plus(_listed(whole.bytes, whole.count), count, HOLDER + ITEM)

    def part() -> Size:
        return Made(size, whole.count, all_items=lambda: whole.items, one_item=lambda: whole.item)

    return Made(size, count, all_items=part, one_item=part)


def _flattened(sizes: list[Size]) -> Size:
    inner = sizes[0].items
    size = _listed(sizes[0].bytes, inner.count)
    return Made(
        size,
        inner.count,
        all_items=lambda: inner.items,
        one_item=lambda: sizes[0].item.item,
    )


def _zipped(sizes: list[Size]) -> Size:
    left, right = sizes
    count = left.count
    size = plus(plus(left.bytes, right.bytes), count, HOLDER + 3 * ITEM)

    def pairs() -> Size:
        return Made(
            size,
            plus(left.count, right.count),
            all_items=lambda: together(left.items, right.items),
            one_item=lambda: one_of(left.item, right.item),
        )

    def pair() -> Size:
        held = plus(left.item.bytes, right.item.bytes)
        return Made(
            plus(held, constant(HOLDER + 2 * ITEM)),
            constant(2.0),
            all_items=lambda: together(left.item, right.item),
            one_item=lambda: one_of(left.item, right.item),
        )

    return Made(size, count, all_items=pairs, one_item=pair)


def _ranged(sizes: list[Size]) -> Size:
    bounds = number_of(sizes[0])
    most = MAX_RANGE if bounds is None else max(0.0, min(bounds[1], MAX_RANGE))
    count = constant(float(most))
    return Made(
        plus(constant(HOLDER), count, SCALAR + ITEM),
        count,
        all_items=lambda: Made(plus({}, count, SCALAR), constant(0.0)),
        one_item=lambda: flat(SCALAR),
    )


def _listed(size: Linear, count: Linear) -> Linear:
    return plus(plus(size, constant(HOLDER)), count, ITEM)


LIST_FUNCTIONS: Final[Mapping[str, Callable[[list[Size]], Size]]] = {
    "chunk": _chunked,
    "flatten": _flattened,
    "zip": _zipped,
    "range": _ranged,
}
