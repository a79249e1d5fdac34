"""Bounds of the number that `range(n)` gets: without them each range would count as the largest."""

from __future__ import annotations

from typing import Final

from waypost.expressions.estimates.linear import Quantities, numeric
from waypost.expressions.estimates.sizes import SCALAR, Data, Element, Interval, Numbers, Size, flat
from waypost.expressions.protobuf import fields
from waypost.expressions.tree import Constant

_SIGN: Final = 1 << 63
ARITHMETIC: Final = frozenset(("_+_", "_-_", "_*_", "_/_"))


def number_of(size: Size) -> Interval | None:
    """The least and the largest value of a number of this `size`; None if that is not known."""
    match size:
        case Data():
            return _of_data(size)
        case Element():
            return number_of(size.top)
        case Numbers():
            return number_of(size.of)
    return getattr(size, "number", None)


def of_constant(expr: Constant) -> Size:
    """The size of a literal that is not a text."""
    for field, value in fields(expr.raw):
        if field in (3, 4) and isinstance(value, int):
            number = float(value - 2 * _SIGN if field == 3 and value >= _SIGN else value)
            return flat(SCALAR, number=(number, number))
    return flat(SCALAR)


def of_call(function: str, sizes: list[Size], known: Quantities) -> Interval | None:
    """The bounds of the result of `size` or of an operator."""
    if function == "size":
        return 0.0, numeric(sizes[0].count, known)
    if function not in ARITHMETIC:
        return None
    left, right = number_of(sizes[0]), number_of(sizes[1])
    return None if left is None or right is None else _computed(function, left, right)


def _computed(function: str, left: Interval, right: Interval) -> Interval | None:
    match function:
        case "_+_":
            return left[0] + right[0], left[1] + right[1]
        case "_-_":
            return left[0] - right[1], left[1] - right[0]
        case "_*_":
            products = [a * b for a in left for b in right]
            return min(products), max(products)
    if right[0] < 1:
        return None
    quotients = [a / b for a in left for b in right]
    return min(quotients), max(quotients)


def _of_data(data: Data) -> Interval | None:
    if any(len(group) > 1 for group in data.groups):
        return None
    values = [value for group in data.groups for value in group]
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    return (min(numbers), max(numbers)) if numbers and len(numbers) == len(values) else None
