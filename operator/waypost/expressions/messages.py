"""Errors of the library as messages for users, with the place in the source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from waypost.expressions.references import Path
from waypost.expressions.values import TOO_MANY_STEPS
from waypost.protocol.ijson import Json

if TYPE_CHECKING:
    from waypost.expressions.cel import Rejection

RESERVED = ("event",)

# The functions of ours whose number of arguments is fixed, as they are written.
_FUNCTIONS = {
    form.partition("(")[0]: form
    for form in ("json(x)", "keys(m)", "chunk(list, n)", "flatten(list)", "zip(a, b)", "range(n)")
}

# Functions that the language has. One that is not found was called with other arguments.
_KNOWN = frozenset(
    (
        *("size", "contains", "startsWith", "endsWith", "matches", "split", "join", "replace"),
        *("trim", "substring", "indexOf", "lastIndexOf", "charAt", "lowerAscii", "upperAscii"),
        *("reverse", "format", "int", "uint", "double", "string", "bool", "bytes", "timestamp"),
        *("duration", "orValue", "hasValue", "value", "getFullYear", "getMonth", "getHours"),
    )
)
_A_VALUE = "an output or input that is JSON is read as a value, not as text: no parsing is needed"
# What people write who know another language, and what does it here.
_WRITTEN_ELSEWHERE = {
    **dict.fromkeys(("len", "length", "count"), "size(x)"),
    **dict.fromkeys(("toUpperCase", "upper", "toUpper"), "text.upperAscii()"),
    **dict.fromkeys(("toLowerCase", "lower", "toLower"), "text.lowerAscii()"),
    **dict.fromkeys(("slice", "substr"), "text.substring(from, to), or chunk(list, n)[0]"),
    **dict.fromkeys(("strip", "trimSpace"), "text.trim()"),
    **dict.fromkeys(("includes", "has_key"), "text.contains(part), or x in list"),
    **dict.fromkeys(("startswith", "hasPrefix"), "text.startsWith(part)"),
    **dict.fromkeys(("endswith", "hasSuffix"), "text.endsWith(part)"),
    **dict.fromkeys(("replaceAll",), "text.replace(old, new)"),
    **dict.fromkeys(("str", "toString"), "string(x)"),
    **dict.fromkeys(("float", "toFloat", "Number"), "double(x)"),
    **dict.fromkeys(("toJson", "toJSON", "stringify", "dumps"), "json(x)"),
    **dict.fromkeys(("now", "today"), "run.createdAt"),
    **dict.fromkeys(("uuid", "random"), "self.idempotencyKey or run.uid"),
    **dict.fromkeys(("some", "any"), "list.exists(x, condition)"),
    **dict.fromkeys(("every",), "list.all(x, condition)"),
    **dict.fromkeys(("parseJson", "parseJSON", "fromJson", "fromJSON", "loads"), _A_VALUE),
    "Math": "math.greatest(a, b) and math.least(a, b)",
    "JSON": f"json(x); {_A_VALUE}",
    "default": "x.?field.orValue(value)",
    "coalesce": "x.?field.orValue(value)",
}
_ELSEWHERE = (
    (re.compile(r"=>"), "write list.map(x, x.name) instead of =>"),
    (re.compile(r"\?\?"), "write x.?field.orValue(value) instead of ??"),
    (re.compile(r"(^|[\s)])(and|or|not)[\s(]"), "write &&, || and ! instead of and, or, not"),
    (re.compile(r"==="), "write == instead of ==="),
    (re.compile(r"[“”„‘’]"), "write ' or \" around a text"),
    (re.compile(r"(^|[^=!<>])=([^=]|$)"), "write == to compare"),
    (re.compile(r"\?:"), "write x.?field.orValue(value) instead of ?:"),
    (re.compile(r"(^|[^|])\|([^|]|$)"), "there are no filters: write f(x) instead of x | f"),
    (re.compile(r"`"), "write 'text ' + x instead of a text in backticks"),
)
# The variables of other systems.
_VARIABLES_ELSEWHERE = {
    **dict.fromkeys(("steps", "tasks", "jobs", "needs", "outputs"), "nodes.<name>.output"),
    **dict.fromkeys(("params", "parameters", "arguments", "args", "vars", "input"), "inputs"),
    **dict.fromkeys(("workflow", "context", "execution"), "run"),
}
_CONSTANTS = {
    "True": "true",
    "TRUE": "true",
    "False": "false",
    "FALSE": "false",
    **dict.fromkeys(("None", "nil", "undefined", "NULL", "Null"), "null"),
}
_MACROS = frozenset(
    ("map", "filter", "all", "exists", "exists_one", "existsOne", "optMap", "optFlatMap")
)
_WITH_VARIABLE = re.compile(r"\.\s*([A-Za-z_]\w*)\(\s*([A-Za-z_]\w*)\s*,")
_STRINGS = re.compile(r"'[^']*'|\"[^\"]*\"")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_NO_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_METHOD = re.compile(r"\(([^()]*)\)\.(\w+)\(\)")
_NO_RUN_OVERLOAD = re.compile(r"No matching overloads found : (.*)")
_DASHED_NODE = re.compile(r"\bnodes\.([a-z0-9_]+(?:-[a-z0-9_]+)+)")
_KEY_NOT_FOUND = re.compile(r'Key not found in map : "(.*)"', re.DOTALL)
_DOUBLE_BRACES = re.compile(r"\{\s*([^{}:]*[^{}:\s])\s*\}")
_WORD_AS_A_NAME = re.compile(r"\.(true|false|null|in)\b")
_NODE_FIELDS = r"(output|phase|error|artifacts|items)\b"
_OPERATOR = re.compile(r"^_(.+)_$")

# Operators on booleans, as they are written, and a comparison for an operand of each other type.
_LOGICAL = {"!_": "!", "_&&_": "&&", "_||_": "||", "_?_:_": "? :"}
_COMPARED = (
    (("int", "uint", "double", "number"), "x != 0"),
    (("list", "map", "array", "object"), "size(x) > 0"),
    (("null",), "x != null"),
)

_INDEX = re.compile(r"Index error: index=(-?[0-9]+) size=([0-9]+)")
_SENTENCES = (
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
)


def explain_rejection(source: str, rejection: Rejection) -> tuple[str, int]:
    """(message, offset) for an expression that does not parse or type-check."""
    lines = source.split("\n")
    before = sum(len(line) + 1 for line in lines[: max(rejection.line - 1, 0)])
    offset = min(before + max(rejection.column - 1, 0), len(source))
    if match := _UNDECLARED.search(rejection.message):
        # The library reports the last dot of a path, but its first name is the unknown one.
        begin = source.rfind(match.group(1).partition(".")[0], 0, offset + 1)
        offset = offset if begin < 0 else begin
    return _rejection_text(source, rejection.message), offset


def explain_refusal(source: str, message: str) -> str:
    """The message for a rejected expression, with advice for common mistakes.

    For example, `nodes.gather-inputs.output` parses as a subtraction of two unknown values.
    """
    return _dashed_text(source) or message


def _rejection_text(source: str, message: str) -> str:
    if "recursion" in message or "node count" in message:
        return "the expression is nested too deeply, or has too many operators in a row"
    if match := _DOUBLE_BRACES.fullmatch(source):
        return f"expressions have one pair of braces: write ${{{match.group(1)}}}"
    if "Syntax error" in message:
        return _syntax_text(source, message)
    if match := _UNDECLARED.search(message):
        return _undeclared_text(source, match.group(1))
    if match := _NO_OVERLOAD.search(message):
        name, arguments = match.groups()
        if name in ("_==_", "_!=_") and "bool" in arguments and re.search(r"!(?!=)", source):
            tip = f"! binds more tightly: write !(a {name.strip('_')} b)"
            return f"{_function(name)} does not take ({arguments}); {tip}"
        return f"{_function(name)} does not take ({arguments}){operands_tip(name, arguments)}"
    return message


def operands_tip(name: str, arguments: str) -> str:
    """What to write in place of operands that an operator does not take; "" if that is not known.

    Args:
        name: The function as the library names it, such as `_&&_`.
        arguments: The types of its operands, in words of CEL or of JSON Schema; perhaps unknown.
    """
    if name in _LOGICAL:
        kinds = (kind for kind in arguments.split(", ") if not kind.startswith("bool"))
        first = next(kinds, "")
        example = next((code for types, code in _COMPARED if first.startswith(types)), "x != ''")
        return f": it takes true or false; compare first, as in {example}"
    if name == "_+_" and "string" in arguments.split(", "):
        return "; write string(x) to append a value to a text"
    return ""


def _syntax_text(source: str, message: str) -> str:
    text = message.partition("Syntax error: ")[2].partition(" expecting ")[0]
    code = _STRINGS.sub("''", source)
    for pattern, advice in _ELSEWHERE:
        if pattern.search(code):
            return f"syntax error: {advice}"
    if word := _WORD_AS_A_NAME.search(code):
        name = word[1]
        advice = f"write ['{name}'], or name the node otherwise"
        return f"syntax error: `{name}` is a word of the language: {advice}"
    if "<EOF>" in text:
        return "the expression ends too early"
    return f"syntax error: {text}"


def _undeclared_text(source: str, name: str) -> str:
    if dashed := _dashed_text(source):
        return dashed
    first = name.partition(".")[0]
    if unknown := _unknown_macro(source):
        return _no_function_text(unknown)
    if first in RESERVED:
        return f"`{first}` is reserved for a later version and not available yet"
    if name in _FUNCTIONS and f"{name}(" in source:
        return f"the function `{name}` is written {_FUNCTIONS[name]}"
    if first == "secrets":
        return "there is no `secrets`: hand a secret to a node with env and valueFrom"
    if _is_called(source, name) or (first in _WRITTEN_ELSEWHERE and f"{first}." in source):
        return _no_function_text(name if name in _WRITTEN_ELSEWHERE else first)
    ours = _VARIABLES_ELSEWHERE.get(first)
    hint = f"; did you mean {ours}?" if ours and f"{first}." in source else ""
    if first in _CONSTANTS:
        hint = f"; did you mean {_CONSTANTS[first]}?"
    if not hint and (read := re.search(rf"\b{re.escape(first)}\.{_NODE_FIELDS}", source)):
        hint = f"; did you mean nodes.{read[0]}?"
    return f"nothing is named `{first}` here: there are inputs, nodes.<name>, self and run{hint}"


def _unknown_macro(source: str) -> str:
    """A method of one variable and an expression, as macros have, that does not exist; or "".

    The library reports its variable as unknown: `rows.sortBy(r, r.n)` has no `r`.
    """
    code = _STRINGS.sub("''", source)
    for name, variable in _WITH_VARIABLE.findall(code):
        if name not in _MACROS | _KNOWN and re.search(rf"\b{variable}\b", code):
            return str(name)
    return ""


def _is_called(source: str, name: str) -> bool:
    return re.search(rf"(^|[^\w]){re.escape(name)}(\.\w+)*\s*\(", source) is not None


def _no_function_text(name: str) -> str:
    if name in _KNOWN:
        return f"the function `{name}` does not take these arguments"
    advice = _WRITTEN_ELSEWHERE.get(name)
    if advice is _A_VALUE:
        return f"there is no function `{name}`; {advice}"
    return f"there is no function `{name}`" + (f"; use {advice}" if advice else "")


def _dashed_text(source: str) -> str:
    dashed = _DASHED_NODE.search(source)
    if dashed is None:
        return ""
    suggested = dashed.group(1).replace("-", "_")
    return f"'-' is a minus here; names of nodes cannot contain it, use _: nodes.{suggested}"


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


def _worded(message: str) -> str:
    """The library's sentences in words about the expression."""
    if index := _INDEX.search(message):
        at, size = index.groups()
        return f"there is no element {at}: the list has {size}, counted from 0"
    return next((words for text, words in _SENTENCES if text in message), message)


def _missing(path: Path, data: Mapping[str, Json]) -> tuple[str, str] | None:
    """The step of `path` that does not exist in `data`, and its message."""
    value: Json = data
    gone = ""
    for at, step in enumerate((path.root, *path.fields)):
        if not isinstance(value, Mapping):
            return step, f"{gone}: not an object, so it has no field {step}"
        gone = f"{gone}.{step}" if gone else step
        if step not in value:
            return step, f"{gone}: {_absence(path, at, value)}"
        value = value[step]
    return None


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
        return f"`{method.group(2)}` does not take ({method.group(1).replace('int64', 'int')})"
    name, _, arguments = overload.partition("(")
    types = arguments.replace("int64", "int").removesuffix(")")
    tip = operands_tip(name, types)
    return f"{_function(name)} does not take {f'({types})' if types else 'these types'}{tip}"


def _function(name: str) -> str:
    match = _OPERATOR.match(name)
    plain = match.group(1) if match else name.strip("@_")
    return f"`{_LOGICAL.get(name, plain)}`"
