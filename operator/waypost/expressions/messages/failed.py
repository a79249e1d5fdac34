"""Messages about evaluations without a value, and about operands that do not fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from waypost.expressions.references import Path
from waypost.expressions.values import TOO_MANY_STEPS
from waypost.protocol.ijson import Json

_METHOD: Final = re.compile(r"\(([^()]*)\)\.(\w+)\(([^()]*)\)")
_NO_RUN_OVERLOAD: Final = re.compile(r"No matching overloads found : (.*)")
_KEY_NOT_FOUND: Final = re.compile(r'Key not found in map : "(.*)"', re.DOTALL)
_OPERATOR: Final = re.compile(r"^_(.+)_$")

# Operators on booleans, as they are written, and a comparison for an operand of each other type.
_LOGICAL: Final = {"!_": "!", "_&&_": "&&", "_||_": "||", "_?_:_": "? :"}
_COMPARED: Final = (
    (("int", "uint", "double", "number"), "x != 0"),
    (("list", "map", "array", "object"), "size(x) > 0"),
    (("null",), "x != null"),
)
# What to write, by the function.
_TIPS: Final = {
    "join": "each element must be a text: list.map(x, string(x)).join(',')",
    "format": "its values are a list: '%s'.format([x])",
    "string": "write json(x)",
    "contains": "write x in list for an element of a list",
    "indexOf": "write x in list for an element of a list",
    "%": "write int(x) % 2",
    "size": "it takes a text, a list or an object",
    "keys": "it takes an object",
    "reverse": "it takes a text; a python node can reverse a list",
}
_LENGTHS: Final = frozenset(("length", "size", "count", "len"))

_INDEX: Final = re.compile(r"Index error: index=(-?[0-9]+) size=([0-9]+)")
_CLAUSE: Final = re.compile(r'unrecognized formatting clause "(.)"')
_REGEX: Final = re.compile(r"invalid regular expression: (.*)", re.DOTALL)
_SENTENCES: Final = (
    ("cannot convert string to int", "the text is not an integer"),
    ("cannot convert string to double", "the text is not a number"),
    ("cannot convert string to uint", "the text is not an integer from 0"),
    ("Type conversion error from 'string' to 'bool'", "the text is neither true nor false"),
    ("String to Duration conversion", "the text is not a duration such as 90s, 5m or 1h30m"),
    ("String to Timestamp conversion", "the text is not a time such as 2026-01-31T08:00:00Z"),
    (".substring(", "substring(from, to): a position is outside the text, or from is after to"),
    (".charAt(", "charAt(at): the position is outside the text"),
    ("divide by zero", "a division by zero"),
    ("modulus by zero", "the remainder of a division by zero"),
    ("optional.none() dereference", "value() of an optional that is empty; write orValue(...)"),
    ("Invalid container type: 'string'", "[...] does not take a text; write text.charAt(0)"),
    ("Invalid container type", "[...] takes a list or an object"),
)


def explain_failure(message: str, used: tuple[Path, ...], data: Mapping[str, Json]) -> str:
    """The message for an evaluation without a value, with the path that is missing.

    Args:
        message: The text of the library; "" if only the path is needed.
        used: The paths of the expression.
        data: The variables by name.
    """
    match = _KEY_NOT_FOUND.search(message)
    if not message or match or "Applying SELECT" in message or "_?._" in message:
        located = (_missing(path, data) for path in used)
        key = match.group(1) if match else None
        for field, text in filter(None, located):
            if key is None or field == key:
                return text
    if match:
        return f"no such field: {match.group(1)}"
    if overload := _NO_RUN_OVERLOAD.search(message):
        return _overload_text(overload.group(1))
    if TOO_MANY_STEPS in message:
        return (
            "a loop (map, filter, all, exists) inside another loop takes more than 10,000 steps "
            "for one element of the outer one; flatten the inner lists first, or use a python node"
        )
    if "Applying SELECT" in message:
        return "a field is read from something that is not an object"
    return _worded(message)


def operands_tip(name: str, arguments: str) -> str:
    """What to write in place of operands that a function does not take; "" if that is not known.

    Args:
        name: The function as the library names it, such as `_&&_`.
        arguments: The types of its operands, in words of CEL or of JSON Schema; perhaps unknown.
    """
    kinds = [kind.partition("(")[0] for kind in arguments.split(", ")]
    if name in _LOGICAL:
        first = next((kind for kind in kinds if not kind.startswith("bool")), "")
        example = next((code for types, code in _COMPARED if first.startswith(types)), "x != ''")
        return f": it takes true or false; compare first, as in {example}"
    if name == "_+_":
        return _sum_tip(kinds)
    tip = _TIPS.get(name.strip("_"))
    return f"; {tip}" if tip else ""


def _sum_tip(kinds: list[str]) -> str:
    if {"list", "array"} & set(kinds):
        return "; write list + [x] to append an element"
    if {"map", "object"} & set(kinds) and "string" not in kinds:
        return "; objects are not merged: write each field, as in {'a': x.a, 'b': 1}"
    return "; write string(x) to append a value to a text" if "string" in kinds else ""


def function_text(name: str) -> str:
    """A function as it is written, from its name in the library."""
    match = _OPERATOR.match(name)
    plain = match.group(1) if match else name.strip("@_")
    return f"`{_LOGICAL.get(name, plain)}`"


def _worded(message: str) -> str:
    """The library's sentences in words about the expression."""
    if index := _INDEX.search(message):
        at, size = index.groups()
        return f"there is no element {at}: the list has {size}, counted from 0"
    if clause := _CLAUSE.search(message):
        verbs = "write %s, %d, %f, %.2f, %e, %x or %b, without a width"
        return f"format has no verb %{clause[1]}: {verbs}"
    if regex := _REGEX.search(message):
        return (
            f"not a pattern: {regex[1]}; patterns are RE2, without look-ahead and back-references"
        )
    return next((words for text, words in _SENTENCES if text in message), message)


def _missing(path: Path, data: Mapping[str, Json]) -> tuple[str, str] | None:
    """The step of `path` that does not exist in `data`, and its message."""
    value: Json = data
    gone = ""
    for at, step in enumerate((path.root, *path.fields)):
        if not isinstance(value, Mapping):
            return (
                step,
                f"{gone}: not an object, so it has no field {step}{_instead(gone, step, value)}",
            )
        gone = f"{gone}.{step}" if gone else step
        if step not in value:
            return step, f"{gone}: {_absence(path, at, value)}"
        value = value[step]
    return None


def _instead(read: str, step: str, value: Json) -> str:
    """What to write for the field `step` of something that has no fields."""
    if step in _LENGTHS and isinstance(value, str | list):
        return f"; write size({read})"
    if isinstance(value, list):
        field = f"x.{step}" if step.isidentifier() else f"x['{step}']"
        return f"; it is a list: write {read}.map(x, {field}), or {read}[0]"
    return ""


def _absence(path: Path, at: int, siblings: Mapping[str, Json]) -> str:
    if path.root == "nodes" and at == 2 and siblings.get("phase") != "Succeeded":
        phase = siblings.get("phase", "unknown")
        return f"node {path.fields[0]} has no {path.fields[1]}, its phase is {phase}"
    available = ", ".join(sorted(str(key) for key in siblings)[:10])
    return f"no such field; available: {available or 'none'}"


def _overload_text(overload: str) -> str:
    if overload.startswith("<jump_condition>"):
        return "the condition before ? is not true or false"
    if overload.startswith("<iter_range>"):
        return "a macro needs a list"
    if method := _METHOD.fullmatch(overload.strip()):
        target, name, arguments = method.groups()
        types = ", ".join(filter(None, (target, arguments))).replace("int64", "int")
        return f"`{name}` does not take ({types}){operands_tip(name, types)}"
    name, _, arguments = overload.partition("(")
    types = arguments.replace("int64", "int").removesuffix(")")
    tip = operands_tip(name, types)
    return f"{function_text(name)} does not take {f'({types})' if types else 'these types'}{tip}"
