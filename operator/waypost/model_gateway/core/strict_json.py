"""JSON that every reader understands alike: no field twice, no NaN and no Infinity."""

import json
from collections.abc import Iterable
from typing import Any


def loads(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: It is none, has a field twice, or a number that JSON does not have.
        RecursionError: It is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    listed = list(pairs)
    made = dict(listed)
    if len(made) != len(listed):
        raise ValueError("a field twice")
    return made
