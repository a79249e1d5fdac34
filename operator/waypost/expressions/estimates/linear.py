"""Bounds that are linear in the elements of loops, so that a sum over a loop stays exact.

`map(x, x.name + '!')` builds the size of all names and one byte for each element. With
the longest name times the number of elements, one long name would make ten rows look like
gigabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

# A quantity of the element of one loop: (id of the loop, what is measured).
Variable = tuple[int, object]
# Coefficients by variable; the constant stands under None. All are zero or more.
Linear = dict[Variable | None, float]


@dataclass(frozen=True)
class Quantity:
    """The bounds of one variable: `top` for one element, `total` for the sum of all elements."""

    top: float
    total: Callable[[], Linear]


Quantities = dict[Variable, Quantity]


def constant(value: float) -> Linear:
    """A bound without variables."""
    return {None: value}


def plus(left: Linear, right: Linear, factor: float = 1.0) -> Linear:
    """left + factor * right."""
    total = dict(left)
    for name, coefficient in right.items():
        total[name] = total.get(name, 0.0) + coefficient * factor
    return total


def either(left: Linear, right: Linear) -> Linear:
    """A bound of both, for all values of the variables."""
    names = left.keys() | right.keys()
    return {name: max(left.get(name, 0.0), right.get(name, 0.0)) for name in names}


def numeric(linear: Linear, known: Mapping[Variable, Quantity]) -> float:
    """The largest value of `linear`."""
    return sum(
        factor * (1.0 if name is None else known[name].top) for name, factor in linear.items()
    )


def times(linear: Linear, count: Linear, known: Mapping[Variable, Quantity]) -> Linear:
    """A bound of linear * count. One of them becomes a number, since a product is not linear."""
    if set(count) <= {None}:
        return plus({}, linear, count.get(None, 0.0))
    return plus({}, count, numeric(linear, known))


def summed(linear: Linear, loop: int, count: Linear, known: Mapping[Variable, Quantity]) -> Linear:
    """The sum of `linear` over the elements of `loop`, of which there are `count`.

    Of each quantity it takes the smaller bound: the sum of all elements, or the largest one times
    their number.
    """
    outside: Linear = {}
    total: Linear = {}
    for name, factor in linear.items():
        if name is not None and name[0] == loop:
            sum_, largest = known[name].total(), plus({}, count, known[name].top)
            smaller = largest if numeric(largest, known) < numeric(sum_, known) else sum_
            total = plus(total, smaller, factor)
        else:
            outside[name] = factor
    return plus(total, times(outside, count, known))
