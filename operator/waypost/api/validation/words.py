"""What the models say about a value, in our words: those of the library are for programmers."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from waypost.api.base import NODE_OR_ITEM_PATTERN

_EXPECTED: Final = {
    "missing": "is missing",
    "list_type": "expected a list",
    "dict_type": "expected an object",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
    "string_type": "expected a string",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_parsing_size": "expected a whole number that is not so large",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a number",
    "none_required": "expected null",
    "too_short": "expected at least {min_length} entries",
    "too_long": "expected at most {max_length} entries",
    "string_too_short": "expected at least {min_length} characters",
    "string_too_long": "expected at most {max_length} characters",
    "string_pattern_mismatch": "expected a text that matches {pattern}",
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected at least {ge}",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected at most {le}",
    "literal_error": "expected {expected}",
    "enum": "expected {expected}",
    "extra_forbidden": "unknown field",
}
# What a pattern means.
_FORMS: Final = {
    NODE_OR_ITEM_PATTERN: "expected the name of a node, such as scan, or an item of a node with "
    "forEach, such as scan/3; items are counted from 0; to repeat a node of a child run, rerun "
    "that run",
}
_SHOWN: Final = 60
# The library says which alternative of a union it has tried.
_ALTERNATIVES: Final = re.compile(r"int|str|float|bool|none|constrained-(int|str)|[a-z-]+\[.*")


def found_in(detail: Mapping[str, Any]) -> str:
    """The value on one line of at most 60 characters: a text in quotes, the rest as JSON."""
    value = detail["input"]
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=repr)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def words_of(detail: Mapping[str, Any]) -> str:
    """What is expected, without the value.

    Args:
        detail: One of `ValidationError.errors()`, with its context.
    """
    form = _EXPECTED.get(detail["type"])
    if form is None:  # a rule of our own, which has our words
        return str(detail["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    context = detail.get("ctx", {})
    return _FORMS.get(context.get("pattern", "")) or form.format_map(context)


def place_of(detail: Mapping[str, Any], *, before: str = "") -> str:
    """The field, as `nodes[2].retry.limit`.

    Args:
        detail: One of `ValidationError.errors()`.
        before: What the path begins with, such as `spec`.
    """
    path = list(detail["loc"])
    while len(path) > 1 and isinstance(path[-1], str) and _ALTERNATIVES.fullmatch(path[-1]):
        path.pop()
    steps = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return (before + "".join(steps)).lstrip(".")
