"""What kubectl makes of a YAML scalar: the rules of its library, go-yaml 2, and its step to JSON.

They differ from PyYAML's in numbers (`1e3`, `08`, `0o14`, `.5`), booleans (`y`, `on`) and times,
which stay text. https://github.com/yaml/go-yaml/blob/v2/resolve.go
"""

import base64
import binascii
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from waypost.protocol.ijson import Json

PLAIN: Final = "plain"  # stands for the tag of a scalar without quotes and without a tag
STRING: Final = "tag:yaml.org,2002:str"
MERGE: Final = "<<"
_BINARY: Final = "tag:yaml.org,2002:binary"
_INTEGER: Final = "tag:yaml.org,2002:int"
_FLOAT: Final = "tag:yaml.org,2002:float"
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:null": (type(None),),
    _INTEGER: (int,),
    _FLOAT: (int, float),
}

_WORDS: Final[Mapping[str, Json]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(
        ("true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True
    ),
    **dict.fromkeys(
        ("false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"), False
    ),
}
_NOT_JSON: Final = frozenset(
    sign + word
    for sign in ("", "+", "-")
    for word in (".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN")
) - {"+.nan", "+.NaN", "+.NAN", "-.nan", "-.NaN", "-.NAN"}
_FIRST_OF_NUMBER: Final = frozenset("+-.0123456789")
_FLOAT_FORM: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_INTEGER_FORM: Final = re.compile(
    r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)", re.ASCII
)
_MOST_UNSIGNED: Final = 2**64 - 1
_MOST: Final = 2**63 - 1
_LEAST: Final = -(2**63)
_FIRST_WITH_EXPONENT: Final = 1e21  # from here on Go writes 1e+21, which is read as a float
# A number as everybody writes it: a reader of the file expects a number too.
_USUAL_NUMBER: Final = re.compile(
    r"-?(0|[1-9][0-9]*)(\.[0-9]+)?|-?(0|[1-9][0-9]*)(\.[0-9]+([eE][-+]?[0-9]+)?|[eE][-+][0-9]+)",
    re.ASCII,
)
_USUAL_WORDS: Final = frozenset(("true", "True", "TRUE", "false", "False", "FALSE"))


class NotJsonError(ValueError):
    """A scalar that kubectl refuses: it has no form in JSON, or does not fit its tag."""


def resolve(text: str, tag: str) -> Json:
    """The JSON value of a scalar. `tag` is PLAIN, that of a quoted scalar (a string), or written.

    Raises NotJsonError.
    """
    if tag == _BINARY:
        return _binary(text)
    if tag != PLAIN and tag not in _TYPES:
        return text
    value = _resolve_plain(text)
    if tag == PLAIN:
        return value
    if isinstance(value, bool) != (tag == "tag:yaml.org,2002:bool"):
        raise NotJsonError(f"cannot decode {text!r} as {_short(tag)}")
    is_float = not _INTEGER_FORM.fullmatch(text.replace("_", ""))
    if not isinstance(value, _TYPES[tag]) or (tag == _INTEGER and is_float):
        raise NotJsonError(f"cannot decode {text!r} as {_short(tag)}")
    return value


def surprise(text: str, value: Json) -> str | None:
    """What YAML makes of a scalar without quotes, where its author may have meant text; None
    where everybody would expect it."""
    if isinstance(value, bool):
        return None if text in _USUAL_WORDS else str(value).lower()
    if isinstance(value, int | float):
        return None if _USUAL_NUMBER.fullmatch(text) else f"{value}"
    return None


def key(value: Json) -> str:
    """The text of a key of a JSON object that kubectl makes of a YAML key.

    Raises NotJsonError for a key that it refuses.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, str):
        return value
    raise NotJsonError("a key must be text")


def json_number(value: float) -> Json:
    """A number as the API server reads it from JSON: an integer if it is one and fits 64 bits."""
    if isinstance(value, float):
        if not value.is_integer() or abs(value) >= _FIRST_WITH_EXPONENT:
            return value
        # Go writes the shortest digits that give the same float, and zeros after them.
        value = int(Decimal(repr(value)))
    return value if _LEAST <= value <= _MOST else float(value)


def _resolve_plain(text: str) -> Json:
    if text in _WORDS:
        return _WORDS[text]
    if text in _NOT_JSON:
        raise NotJsonError(f"{text} is not a number in JSON")
    if text[0] not in _FIRST_OF_NUMBER:
        return text
    plain = text.replace("_", "")
    if _INTEGER_FORM.fullmatch(plain):
        number = _integer(plain)
        if _LEAST <= number <= _MOST_UNSIGNED:
            return json_number(number)
    if _FLOAT_FORM.fullmatch(plain):
        fraction = float(plain)
        return json_number(fraction) if math.isfinite(fraction) else text
    return text


def _integer(text: str) -> int:
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-").lower()
    for prefix, base in (("0x", 16), ("0b", 2), ("0o", 8)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    return sign * int(digits, 8 if digits[0] == "0" else 10)


def _binary(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
    except binascii.Error as error:
        raise NotJsonError("!!binary value contains invalid base64 data") from error


def _short(tag: str) -> str:
    return "!!" + tag.rpartition(":")[2]
