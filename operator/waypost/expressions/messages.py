"""Errors in the words of the user: the library's text, translated and located."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from waypost.expressions.references import Path
from waypost.protocol.ijson import Json

if TYPE_CHECKING:
    from waypost.expressions.cel import Rejection

RESERVED = ("item", "index", "previous", "memory", "event")

_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_NO_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_NO_RUN_OVERLOAD = re.compile(r"No matching overloads found : (.*)")
_DASHED_NODE = re.compile(r"\bnodes\.([a-z0-9_]+(?:-[a-z0-9_]+)+)")
_KEY_NOT_FOUND = re.compile(r'Key not found in map : "(.*)"', re.DOTALL)
_DOUBLE_BRACES = re.compile(r"\{\s*([^{}:]*[^{}:\s])\s*\}")
_OPERATOR = re.compile(r"^_(.+)_$")


def explain_rejection(source: str, rejection: Rejection) -> tuple[str, int]:
    """The message and the offset for a text that does not parse or type-check."""
    lines = source.split("\n")
    before = sum(len(line) + 1 for line in lines[: max(rejection.line - 1, 0)])
    offset = min(before + max(rejection.column - 1, 0), len(source))
    if found := _UNDECLARED.search(rejection.message):
        # The library points at the last dot of a path; the name that is wrong is its first.
        begin = source.rfind(found.group(1).partition(".")[0], 0, offset + 1)
        offset = offset if begin < 0 else begin
    return _rejection_text(source, rejection.message), offset


def explain_refusal(source: str, message: str) -> str:
    """`nodes.gather-inputs.output` parses, as a subtraction of two values that are none."""
    return _dashed_text(source) or message


def _rejection_text(source: str, message: str) -> str:
    if "recursion" in message or "node count" in message:
        return "the expression is nested too deeply, or has too many operators in a row"
    if found := _DOUBLE_BRACES.fullmatch(source):
        return f"expressions have one pair of braces: write ${{{found.group(1)}}}"
    if "Syntax error" in message:
        return _syntax_text(message)
    if found := _UNDECLARED.search(message):
        return _undeclared_text(source, found.group(1))
    if found := _NO_OVERLOAD.search(message):
        return f"{_function(found.group(1))} does not take ({found.group(2)})"
    return message


def _syntax_text(message: str) -> str:
    text = message.partition("Syntax error: ")[2].partition(" expecting ")[0]
    if "<EOF>" in text:
        return "the expression ends too early"
    return f"syntax error: {text}"


def _undeclared_text(source: str, name: str) -> str:
    if dashed := _dashed_text(source):
        return dashed
    first = name.partition(".")[0]
    if first in RESERVED:
        return f"`{first}` is reserved for a later version and not available yet"
    if first == "secrets":
        return "there is no `secrets`: hand a secret to a node with env and valueFrom"
    return f"nothing is named `{first}` here: there are inputs, nodes.<name>, self and run"


def _dashed_text(source: str) -> str:
    dashed = _DASHED_NODE.search(source)
    if dashed is None:
        return ""
    wanted = dashed.group(1).replace("-", "_")
    return f"a node name holds no '-' (it is a minus here): use _ instead, nodes.{wanted}"


def explain_failure(message: str, used: tuple[Path, ...], data: Mapping[str, Json]) -> str:
    """The message for an evaluation that gave no value, with the path that was missing.

    An empty message asks for the path alone.
    """
    found = _KEY_NOT_FOUND.search(message)
    if not message or found or "Applying SELECT" in message or "_?._" in message:
        located = (_missing(path, data) for path in used)
        wanted = found.group(1) if found else None
        for field, text in filter(None, located):
            if wanted is None or field == wanted:
                return text
    if found:
        return f"no such field: {found.group(1)}"
    if overload := _NO_RUN_OVERLOAD.search(message):
        return _overload_text(overload.group(1))
    if "Iteration budget" in message:
        return "the macros of this expression take too many steps (10000 in all)"
    if "Applying SELECT" in message:
        return "a field is read from something that is not an object"
    return message


def _missing(path: Path, data: Mapping[str, Json]) -> tuple[str, str] | None:
    """The step of `path` that leads nowhere in `data`, and how to say so."""
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
        return f"node {path.fields[0]} has none, its phase is {phase}"
    available = ", ".join(sorted(str(key) for key in siblings)[:10])
    return f"no such field; available: {available or 'none'}"


def _overload_text(overload: str) -> str:
    if overload.startswith("<jump_condition>"):
        return "the condition before ? is not true or false"
    if overload.startswith("<iter_range>"):
        return "a macro needs a list"
    name, _, arguments = overload.partition("(")
    if not arguments:
        return f"{_function(name)} does not take these types"
    return f"{_function(name)} does not take ({arguments.replace('int64', 'int')}"


def _function(name: str) -> str:
    found = _OPERATOR.match(name)
    return f"`{found.group(1) if found else name}`"
