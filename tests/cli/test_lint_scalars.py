"""YAML scalars are read as kubectl reads them.

The values are what `kubectl annotate --local -o json` printed for `spec: {v: SCALAR}`.
"""

from typing import Any

import pytest
from waypost.cli.lint.manifests import Unreadable, documents
from waypost.cli.lint.scalars import NotJsonError, resolve, surprise

NUMBERS: list[tuple[str, Any]] = [
    ("1e3", 1000),
    ("1.5e3", 1500),
    ("1.e3", 1000),
    ("1E3", 1000),
    ("1e+3", 1000),
    ("1e-3", 0.001),
    ("1.5e-3", 0.0015),
    ("-.5", -0.5),
    ("+.5", 0.5),
    (".5", 0.5),
    ("-0.5", -0.5),
    ("+1", 1),
    ("-1", -1),
    ("0", 0),
    ("-0", 0),
    ("00", 0),
    ("08", 8),
    ("09", 9),
    ("0123", 83),
    ("010", 8),
    ("08003", 8003),
    ("0o14", 12),
    ("0O14", 12),
    ("-0o7", -7),
    ("0X1f", 31),
    ("0x1F", 31),
    ("-0x1f", -31),
    ("+0x1f", 31),
    ("0b11", 3),
    ("-0b11", -3),
    ("0B11", 3),
    ("1_000", 1000),
    ("1_0.5", 10.5),
    ("1_", 1),
    ("0_8", 8),
    ("0x_1f", 31),
    ("9223372036854775807", 9223372036854775807),
    ("9223372036854775808", 9.223372036854776e18),
    ("18446744073709551615", 1.8446744073709552e19),
    ("18446744073709551616", 1.8446744073709552e19),
    ("-9223372036854775808", -9223372036854775808),
    ("-9223372036854775809", -9.223372036854776e18),
    ("123456789012345678901234567890", 1.2345678901234568e29),
    ("1.0", 1),
    ("1.50", 1.5),
    ("100000000000000000000.0", 1e20),
    ("1e20", 1e20),
    ("1e21", 1e21),
    ("1e22", 1e22),
    (".5e3", 500),
    (".5_0", 0.5),
    ("9509425e4", 95094250000),
    ("680841e1", 6808410),
    ("12e03", 12000),
    ('!!int "3"', 3),
    ("!!int 3", 3),
    ("!!float 3", 3),
    ('!!float "1.5"', 1.5),
    ("0.1e1", 1),
    ("1e0", 1),
    ("1e-0", 1),
    ("0e0", 0),
    ("1.7976931348623157e308", 1.7976931348623157e308),
    ("5e-324", 5e-324),
    ("1__0", 10),
    ("+0b1", 1),
    ("0777", 511),
    ("0778", 778),
    ("-08", -8),
    ("-010", -8),
    ("+010", 8),
    ("1_e3", 1000),
    ("0.0", 0),
    ("-0.0", 0),
    ("1.0e+2", 100),
]
TEXTS: list[tuple[str, Any]] = [
    ("_1", "_1"),
    ("-.nan", "-.nan"),
    ("1e400", "1e400"),
    ("12:30:00", "12:30:00"),
    ("1:2", "1:2"),
    ("190:20:30", "190:20:30"),
    ("2026-11-24", "2026-11-24"),
    ("2026-11-24T03:10:00Z", "2026-11-24T03:10:00Z"),
    ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
    ("tRUE", "tRUE"),
    ("nULL", "nULL"),
    (".", "."),
    ("..", ".."),
    (".e3", ".e3"),
    ("+", "+"),
    ("--", "--"),
    ("0x", "0x"),
    ("0o8", "0o8"),
    ("0b2", "0b2"),
    ("1e", "1e"),
    ("1e+", "1e+"),
    ("e3", "e3"),
    ("1.2.3", "1.2.3"),
    ("1,000", "1,000"),
    ("1a", "1a"),
    ("!!str 3", "3"),
    ("!!str yes", "yes"),
    ("!!binary aGVsbG8=", "hello"),
    ("!foo 3", "3"),
    ("!foo x", "x"),
    ('"yes"', "yes"),
    ("'3'", "3"),
    ('<<"x"', '<<"x"'),
    ("NaN", "NaN"),
    ("Infinity", "Infinity"),
]
WORDS: list[tuple[str, Any]] = [
    ("y", True),
    ("Y", True),
    ("yes", True),
    ("Yes", True),
    ("YES", True),
    ("n", False),
    ("N", False),
    ("no", False),
    ("No", False),
    ("NO", False),
    ("on", True),
    ("On", True),
    ("ON", True),
    ("off", False),
    ("Off", False),
    ("OFF", False),
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("false", False),
    ("null", None),
    ("Null", None),
    ("NULL", None),
    ("~", None),
    ("!!bool yes", True),
    ('!!bool "true"', True),
    ('!!null ""', None),
]
REFUSED = [
    ".inf",
    ".Inf",
    ".INF",
    "-.inf",
    "+.inf",
    ".nan",
    ".NaN",
    ".NAN",
    "!!int x",
    "!!null x",
    '!!binary "a"',
]


def value_of(scalar: str) -> Any:
    (document,) = documents(f"spec:\n  v: {scalar}\n")
    return document.value["spec"]["v"]


# Forms that look like others: underscores, signs, tags, times, digits of other scripts.
LOOKALIKES: list[tuple[str, Any]] = [
    ("e1", "e1"),
    ("0xg", "0xg"),
    ("0o", "0o"),
    ("1.", 1),
    ("+.e1", "+.e1"),
    (".e1", ".e1"),
    ("1e1_0", 10000000000),
    ("1_e1", 10),
    ("+-1", "+-1"),
    ("--1", "--1"),
    ("0.0e0", 0),
    ("1e-400", 0),
    ("1E400", "1E400"),
    ("-1e400", "-1e400"),
    ("inf", "inf"),
    ("nan", "nan"),
    ("yEs", "yEs"),
    ("oN", "oN"),
    ("tRue", "tRue"),
    ("2026-12-01", "2026-12-01"),
    ("2026-12-01T10:00:00Z", "2026-12-01T10:00:00Z"),
    ("2026-12-1", "2026-12-1"),
    ("12:30:45", "12:30:45"),
    ("190:20:30.15", "190:20:30.15"),
    ("0:0", "0:0"),
    ("=", "="),
    ("<<", "<<"),
    ("0o777", 511),
    ("08.5", 8.5),
    ("09e1", 90),
    ("010.5", 10.5),
    ("1 000", "1 000"),
    ("\u0663", "٣"),
    ("\uff10", "０"),
    ("0x1p3", "0x1p3"),
    ("1e3x", "1e3x"),
    ("0b", "0b"),
    ("-0b", "-0b"),
    ("0x_", "0x_"),
    ("1_000.5_0", 1000.5),
    ("9007199254740993", 9007199254740993),
    ("-9007199254740993", -9007199254740993),
    ("1e15", 1000000000000000),
    ("123456789.123456789", 123456789.12345679),
    ("00.5", 0.5),
    ("0_1", 1),
    ("-012", -10),
    ("+012", 10),
    ("0b1_1", 3),
    ("0.", 0),
    ("-.", "-."),
    ("1.5.5", "1.5.5"),
    ("1e5.5", "1e5.5"),
    ("0x10_", 16),
    ("0X", "0X"),
    ("!!str 5", "5"),
    ('!!int "5"', 5),
    ("!!float 5", 5),
    ("!!int 0x1F", 31),
    ("!!binary aGk=", "hi"),
    ("!!timestamp 2026-12-01", "2026-12-01"),
]


@pytest.mark.parametrize(("scalar", "value"), [*NUMBERS, *TEXTS, *WORDS, *LOOKALIKES])
def test_value(scalar: str, value: Any) -> None:
    found = value_of(scalar)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("scalar", REFUSED)
def test_what_kubectl_refuses_is_unreadable(scalar: str) -> None:
    with pytest.raises(Unreadable, match=r"^2:6: kubectl cannot read this: "):
        value_of(scalar)


@pytest.mark.parametrize("tag", ["tag:yaml.org,2002:int", "tag:yaml.org,2002:bool"])
def test_a_value_fits_its_tag(tag: str) -> None:
    with pytest.raises(NotJsonError, match="cannot decode 'x' as !!"):
        resolve("x", tag)


@pytest.mark.parametrize(
    ("scalar", "meant"),
    [
        ("9509425e4", "95094250000"),  # a short commit id
        ("680841e1", "6808410"),
        ("08003", "8003"),  # a postal code
        ("010", "8"),
        ("0x1F", "31"),
        ("1_000", "1000"),
        ("+49", "49"),
        ("no", "false"),
        ("y", "true"),
        ("1e-3", None),
        ("1.5e3", None),
        ("-0.5", None),
        ("100", None),
        ("true", None),
        ("null", None),
        ("12:30:00", None),
        ("text", None),
    ],
)
def test_what_may_be_meant_as_text_is_remarked(scalar: str, meant: str | None) -> None:
    assert surprise(scalar, value_of(scalar)) == meant
