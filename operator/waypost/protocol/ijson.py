"""I-JSON (RFC 7493) values: strict parsing, checking, the canonical form and its digest.

Both sides of a boundary must read the same value. The API server silently turns 1.0 into 1 and
12345678901234567890 into 12345678901234567000. So the first two are equal in the canonical form
(RFC 8785), which digests are computed over, and values like the last are refused with their path.
"""

import json
import math
import re
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any

MAX_SAFE_INTEGER: Final = 2**53 - 1
_SAFE_DIGITS: Final = len(str(MAX_SAFE_INTEGER))
MAX_DEPTH: Final = 64
_FIRST_EXPONENT: Final = 1e21  # from here on RFC 8785 writes an exponent
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_SHOWN: Final = 64
# RFC 7493, 2.1: the code points that Unicode keeps free of characters.
_NO_CHARACTER: Final = re.compile(
    "[\ufdd0-\ufdef"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17))
    + "]"
)


class IJsonError(ValueError):
    """A value is not I-JSON.

    Attributes:
        path: Where, such as `$.a[0].b`.
        problem: What is wrong, without the path.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class NotJsonError(IJsonError):
    """A text is not JSON at all; it may be meant as plain text."""


class BigIntegerError(IJsonError):
    """An integer beyond 2^53, which would lose digits."""


class _Twice(dict[str, Json]):
    """An object whose text has `key` twice; `check` reports it with its path."""

    key = ""


def parse(text: bytes | str, *, big_integers_as_text: bool = False) -> Json:
    """Parse a JSON text strictly.

    Args:
        text: the JSON text; bytes are UTF-8. A byte order mark before it is ignored.
        big_integers_as_text: turn integers beyond 2^53 into strings of their digits.

    Raises:
        NotJsonError: the text is not JSON at all.
        IJsonError: it is not I-JSON: duplicate keys, NaN, Infinity, unsafe integers, lone
            surrogates, deep nesting.
    """
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        integer = _integer_or_text if big_integers_as_text else None
        # Programs on Windows write a byte order mark, which is no part of the text.
        value = json.loads(
            decoded.removeprefix("\ufeff"), object_pairs_hook=_object, parse_int=integer
        )
    except UnicodeDecodeError as error:
        raise NotJsonError("$", f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise NotJsonError("$", f"not JSON: {error.msg} ({place})") from None
    except RecursionError:
        raise IJsonError("$", "not JSON that can be read: it is nested too deeply") from None
    except ValueError as error:
        raise IJsonError("$", f"not JSON that can be read: {error}") from None
    return check(value)


def _integer_or_text(digits: str) -> int | str:
    if len(digits) > _SAFE_DIGITS + 1:  # int() refuses thousands of digits
        return digits
    value = int(digits)
    return digits if abs(value) > MAX_SAFE_INTEGER else value


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    merged = dict(pairs)
    if len(merged) == len(pairs):
        return merged
    marked = _Twice(merged)
    unseen = set(merged)
    for key, _ in pairs:
        if key not in unseen:
            marked.key = key
            break
        unseen.remove(key)
    return marked


def check(value: object) -> Json:
    """Return `value` unchanged if it is I-JSON of dict, list, str, int, float, bool and None.

    Raises:
        IJsonError: It is not; the error has the path.
    """
    _check(value, ())
    return value


def _check(value: object, at: tuple[str | int, ...]) -> None:
    if len(at) > MAX_DEPTH:
        raise IJsonError(_path(at), f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        if isinstance(value, _Twice):
            raise IJsonError(_path(at), f"the key {_short(value.key)} stands twice in one object")
        for key, item in value.items():
            if not isinstance(key, str):
                raise IJsonError(_path(at), f"the key {_short(key)} is not a string")
            if not key.isascii():
                _check_text(key, at)
            if not (type(item) is str and item.isascii() and len(at) < MAX_DEPTH):  # most are
                _check(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, (*at, index))
    else:
        _check_scalar(value, at)


def _check_scalar(value: object, at: tuple[str | int, ...]) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, at)
    elif isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            text = "an integer beyond 2^53 loses digits in JSON; use a string"
            raise BigIntegerError(_path(at), text)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise IJsonError(_path(at), f"{json.dumps(value)} is not a JSON number")
        # Written without an exponent, such a number would be read back as an unsafe integer.
        if MAX_SAFE_INTEGER < abs(value) < _FIRST_EXPONENT:
            text = "a number beyond 2^53 loses digits in JSON; use a string"
            raise IJsonError(_path(at), text)
    else:
        raise IJsonError(_path(at), f"{type(value).__name__} is not a JSON type")


def _check_text(text: str, at: tuple[str | int, ...]) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise IJsonError(_path(at), "a lone surrogate is not valid Unicode text") from None
    if found := _NO_CHARACTER.search(text):
        raise IJsonError(_path(at), f"U+{ord(found.group()):04X} is not a character of Unicode")


def _path(at: tuple[str | int, ...]) -> str:
    return "$" + "".join(map(step, at))


def step(key: str | int) -> str:
    """One step of a path: `.name`, `[3]`, or `["odd key"]`, short and on one line."""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if _NAME.fullmatch(key) else f"[{_short(key)}]"


def _short(value: object) -> str:
    shown = json.dumps(value) if isinstance(value, str) else repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


def canonical(value: Json) -> bytes:
    """The canonical form (RFC 8785): equal bytes for equal values, also for 1.0 and 1."""
    import rfc8785

    encoded: bytes = rfc8785.dumps(value)
    return encoded


def digest(value: Json) -> str:
    """`sha256:<hex>` of the canonical form."""
    import hashlib  # loads OpenSSL: 5 ms that user code need not wait for

    return f"sha256:{hashlib.sha256(canonical(value)).hexdigest()}"
