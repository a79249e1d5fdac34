"""I-JSON (RFC 7493) values: strict parsing, checking, the canonical form and its digest.

What crosses a boundary must mean the same on both sides: the API server turns 1.0 into 1 and
12345678901234567890 into 12345678901234567000 without a word, so such values are refused by path
or made equal in the canonical form (RFC 8785) that digests are computed over.
"""

import hashlib
import json
import math
from typing import Any, Final, NoReturn, TypeAlias

Json: TypeAlias = Any

MAX_SAFE_INTEGER: Final = 2**53 - 1
MAX_DEPTH: Final = 64
_FIRST_EXPONENT: Final = 1e21  # from here on RFC 8785 writes an exponent


class IJsonError(ValueError):
    """A value that is not I-JSON: `path` (`$.a[0].b`) and `problem`, a sentence without it."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def parse(text: bytes | str) -> Json:
    """The value of a JSON text. Raises IJsonError for anything that is not strict I-JSON:
    duplicate keys, NaN, Infinity, unsafe integers, lone surrogates, invalid UTF-8, deep nesting."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        value = json.loads(decoded, object_pairs_hook=_unique, parse_constant=_no_constant)
    except IJsonError:
        raise
    except UnicodeDecodeError as error:
        raise IJsonError("$", f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise IJsonError("$", f"not JSON: {error.msg} ({place})") from None
    except (ValueError, RecursionError) as error:
        raise IJsonError("$", f"not JSON that can be read: {error}") from None
    return check(value)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise IJsonError("$", f"the key {twice!r} stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise IJsonError("$", f"{name} is not a JSON number")


def check(value: object) -> Json:
    """`value` itself if it is I-JSON made of dict, list, str, int, float, bool, None; raises
    IJsonError naming the path otherwise."""
    _check(value, "$", 0)
    return value


def _check(value: object, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise IJsonError(path, f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise IJsonError(path, f"the key {key!r} is not a string")
            _check_text(key, path)
            _check(item, f"{path}.{key}", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, f"{path}[{index}]", depth + 1)
    else:
        _check_scalar(value, path)


def _check_scalar(value: object, path: str) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise IJsonError(path, "an integer beyond 2^53 loses digits in JSON; use a string")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise IJsonError(path, f"{value} is not a JSON number")
        # Written without an exponent, such a number comes back as an integer that is refused.
        if MAX_SAFE_INTEGER < abs(value) < _FIRST_EXPONENT:
            raise IJsonError(path, "a number beyond 2^53 loses digits in JSON; use a string")
    else:
        raise IJsonError(path, f"{type(value).__name__} is not a JSON type")


def _check_text(text: str, path: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise IJsonError(path, "a lone surrogate is not valid Unicode text")


def canonical(value: Json) -> bytes:
    """The RFC 8785 form: equal bytes for equal values, 1.0 and 1 included."""
    import rfc8785

    encoded: bytes = rfc8785.dumps(value)
    return encoded


def digest(value: Json) -> str:
    """`sha256:<hex>` of the canonical form."""
    return f"sha256:{hashlib.sha256(canonical(value)).hexdigest()}"
