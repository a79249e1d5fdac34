"""Intervals of numbers, lengths and counts: whether one contains or excludes another."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from waypost.protocol.ijson import Json

Keywords: TypeAlias = tuple[str | None, str | None, str | None, str | None]

# The keywords of a lower, an exclusive lower, an upper and an exclusive upper bound.
NUMBERS: Final[Keywords] = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
LENGTHS: Final[dict[str, Keywords]] = {
    "string": ("minLength", None, "maxLength", None),
    "array": ("minItems", None, "maxItems", None),
    "object": ("minProperties", None, "maxProperties", None),
}


@dataclass(frozen=True)
class Interval:
    """The numbers between two bounds; an open bound is excluded."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    @classmethod
    def of(cls, parts: Iterable[dict[str, Json]], keywords: Keywords, *, whole: bool) -> "Interval":
        """The numbers that all `parts` allow.

        Args:
            parts: JSON Schemas.
            keywords: The names of the bounds: lower, exclusive lower, upper, exclusive upper.
            whole: Only integers are possible, so that open bounds can be closed.
        """
        low, above, high, below = keywords
        made = cls(low=0.0) if keywords != NUMBERS else cls()
        for part in parts:
            made = made._cut_low(_bound(part, low), closed=True)
            made = made._cut_low(_bound(part, above), closed=False)
            made = made._cut_high(_bound(part, high), closed=True)
            made = made._cut_high(_bound(part, below), closed=False)
        return made._whole() if whole else made

    def inside(self, other: "Interval") -> bool:
        """Whether `other` contains this interval."""
        low = self.low > other.low or (
            self.low == other.low and (self.open_low or not other.open_low)
        )
        high = self.high < other.high or (
            self.high == other.high and (self.open_high or not other.open_high)
        )
        return low and high

    def apart(self, other: "Interval") -> bool:
        """Whether the intervals have no number in common."""
        return self._below(other) or other._below(self)

    def at_least(self, low: float) -> "Interval":
        """This interval without numbers below `low`."""
        return self._cut_low(low, closed=True)

    def _below(self, other: "Interval") -> bool:
        touching = self.high == other.low and (self.open_high or other.open_low)
        return self.high < other.low or touching

    def _cut_low(self, bound: Json, *, closed: bool) -> "Interval":
        if bound is None or bound < self.low or (bound == self.low and closed):
            return self
        return replace(self, low=bound, open_low=not closed)

    def _cut_high(self, bound: Json, *, closed: bool) -> "Interval":
        if bound is None or bound > self.high or (bound == self.high and closed):
            return self
        return replace(self, high=bound, open_high=not closed)

    def _whole(self) -> "Interval":
        low, high = self.low, self.high
        if math.isfinite(low):
            low = math.floor(low) + 1 if self.open_low else math.ceil(low)
        if math.isfinite(high):
            high = math.ceil(high) - 1 if self.open_high else math.floor(high)
        return Interval(low=low, high=high)


def _bound(part: dict[str, Json], keyword: str | None) -> Json:
    return None if keyword is None else part.get(keyword)
