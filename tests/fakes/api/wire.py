"""JSON as the API server stores it: deep copies with its numbers, and its size limits."""

import json
import marshal
from decimal import Decimal
from typing import Any

from waypost.ports.cluster import Obj

MAX_OBJECT_BYTES = 1_572_864  # etcd's request limit
MAX_ANNOTATION_BYTES = 262_144  # names and values of all annotations together
_PLAIN = 2  # marshal's last version that does not look for shared objects
_INT64 = range(-(2**63), 2**63)


def normal(value: Any) -> Any:
    """A deep copy with numbers as they come back: 1.0 is 1, -0.0 is 0, and integers beyond
    64 bits lose digits without a word."""
    if isinstance(value, dict):
        return {str(key): normal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [normal(item) for item in value]
    if isinstance(value, str):
        return str(value)  # of an enumeration only its text travels
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int) and value in _INT64:
        return value
    number = float(value)
    if number.is_integer() and abs(number) < 1e21:
        return int(Decimal(repr(number)))
    return number


def copied(value: Obj) -> Obj:
    """A deep copy of an object as it is stored, that is of one that `normal` has made."""
    # Of all ways the quickest: copying is what a simulated cluster does most.
    result: Obj = marshal.loads(marshal.dumps(value, _PLAIN))
    return result


def size(value: Any) -> int:
    """Bytes of compact JSON. Raises ValueError for what is not JSON (NaN, Infinity)."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))
