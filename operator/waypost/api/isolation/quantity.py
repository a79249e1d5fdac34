"""Quantities of Kubernetes as numbers, to compare them."""

import re
from decimal import Decimal
from typing import Final

from waypost.api.pod import QUANTITY_PATTERN

_BINARY: Final = {f"{letter}i": Decimal(1024) ** (at + 1) for at, letter in enumerate("KMGTPE")}
_DECIMAL: Final = {
    **{letter: Decimal(1000) ** (at + 1) for at, letter in enumerate("kMGTPE")},
    "m": Decimal("1e-3"),
    "u": Decimal("1e-6"),
    "n": Decimal("1e-9"),
    "": Decimal(1),
}
_PARTS: Final = re.compile(r"([+-]?[0-9.]+)(.*)")
_EXPONENT: Final = re.compile(r"[eE]([+-]?[0-9]+)")
_LARGEST_EXPONENT: Final = 99  # above, it is a mistake, and more than a Decimal can hold


def number_of(quantity: str | int) -> Decimal | None:
    """The number that a quantity such as `1Gi` or `50m` stands for; None if it is not one."""
    text = str(quantity)
    if not re.fullmatch(QUANTITY_PATTERN, text):
        return None
    number, unit = _PARTS.findall(text)[0]
    if found := _EXPONENT.fullmatch(unit):
        exponent = found[1]
        within = len(exponent) <= 4 and abs(int(exponent)) <= _LARGEST_EXPONENT
        return Decimal(number).scaleb(int(exponent)) if within else None
    return Decimal(number) * (_BINARY.get(unit) or _DECIMAL[unit])


def larger(one: str | int, other: str | int) -> str | int:
    """The larger one of two quantities; `one` if they cannot be compared."""
    first, second = number_of(one), number_of(other)
    return other if first is not None and second is not None and second > first else one
