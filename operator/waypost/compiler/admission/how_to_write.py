"""How a value is written that has the wrong type: users of other systems know other forms."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from waypost.protocol.ijson import Json
from waypost.protocol.text import shorten

_SHOWN: Final = 60
_DURATIONS: Final = ("timeout", "deadline", "duration", "initialdelay", "maxdelay", "pause")
# What is meant by a scalar where an object is expected, by the field.
_OBJECTS: Final[Mapping[str, Callable[[str], str]]] = {
    "retry": lambda found: f"retry: {{limit: {found}}}",
    "forEach": lambda found: f"forEach: {{items: {found}}}",
    "model": lambda found: f"model: {{provider: NAME, name: {found}}}, with a ModelProvider NAME",
    "templateRef": lambda found: f"templateRef: {{name: {found}}}",
    "template": lambda found: f"workflow: {{template: {found}}}",
    "workflow": lambda found: f"workflow: {{templateRef: {{name: {found}}}}}",
    "container": lambda found: f"container: {{image: {found}}}",
    "python": lambda found: f"python: {{source: {found}}}",
    "http": lambda found: f"http: {{url: {found}}}",
    "wait": lambda found: f"wait: {{duration: {found}}}",
    "approval": lambda found: f"approval: {{message: {found}}}",
    "event": lambda found: f"event: {{names: [{found}]}}",
    "repeat": lambda found: f"repeat: {{until: {found}}}",
    "tools": lambda found: f"tools: [{{server: {found}}}], with a ToolServer {found}",
    "concurrency": lambda found: f"concurrency: {{key: {found}}}",
    "approvers": lambda found: f"approvers: {{users: [{found}]}}",
    "rerun": lambda found: f"rerun: {{round: {found}}}",
}
# What is meant by a number there.
_COUNTS: Final[Mapping[str, Callable[[str], str]]] = {
    "repeat": lambda found: f'repeat: {{until: "${{...}}", max: {found}}}',
    "concurrency": lambda found: f"concurrency: {{key: NAME, limit: {found}}}",
}
# The entries of lists that other systems write as an object.
_ENTRIES: Final[Mapping[str, str]] = {
    "env": "name and value",
    "headers": "name and value",
    "query": "name and value",
}
_LIST: Final = "the list is an expression: put it into inputs of the run, and write"
_FROM_INPUTS: Final = '"${inputs.NAME}"'
# The field of an object whose list was written in its place.
_LISTED: Final[Mapping[str, str]] = {"approvers": "users", "first": "of", "event": "names"}
_SCALARS: Final = ("boolean", "integer", "number")
_BOOLEANS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("true", "yes", "on", "y", "1"), "true"),
    **dict.fromkeys(("false", "no", "off", "n", "0"), "false"),
}
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")
_NAMED: Final = ("nodes", "finally", "templates")


def how_to_write(field: str, expected: str, value: Json) -> str:
    """The right form of a value, as the end of a message that begins with ";"; or "".

    Args:
        field: The name of the field, without a path.
        expected: The type in the schema: array, object, string, boolean, integer or number.
        value: The value that has another type.
    """
    found = shorten(json.dumps(value, ensure_ascii=False), _SHOWN)
    scalar = not isinstance(value, dict | list) and value is not None
    field = field.partition("[")[0]
    if field in ("items", "until") and expected == "string" and isinstance(value, list):
        advice = f'write {field}: "${{{shorten(json.dumps(value, ensure_ascii=False), _SHOWN)}}}"'
    elif field == "exitCodes" and isinstance(value, list):
        advice = f"write exitCodes: {{retry: {found}}}, or {{fail: {found}}}"
    elif expected == "array":
        advice = f"write {field}: [{found}]" if scalar else _list_of(field, value)
    elif expected == "object" and scalar and field in _OBJECTS:
        forms = _COUNTS if field in _COUNTS and isinstance(value, int) else _OBJECTS
        advice = f"write {forms[field](found)}"
    elif expected == "object" and isinstance(value, list):
        advice = _object_of(field, value)
    elif expected == "string" and isinstance(value, int | float):
        advice = _as_text(field, value, found)
    elif expected in _SCALARS and isinstance(value, str):
        advice = _as_scalar(expected, value)
    else:
        return ""
    return f"; {advice}" if advice else ""


def _list_of(field: str, value: Any) -> str:
    first = next(iter(value), "a") if isinstance(value, dict) else "a"
    if field in _NAMED:
        return f"write a list, in which each entry has its name: {field}: [{{name: {first}, ...}}]"
    if field in _ENTRIES:
        return (
            f"write a list, in which each entry has {_ENTRIES[field]}: "
            f"{field}: [{{name: {first}, value: ...}}]"
        )
    return ""


def _object_of(field: str, value: list[Any]) -> str:
    """An object, for a list of names with values or of texts."""
    texts = [entry for entry in value if isinstance(entry, str)]
    if field in _LISTED and texts:
        shown = json.dumps(texts[:3], ensure_ascii=False)
        return f"write {field}: {{{_LISTED[field]}: {shown}}}"
    if field == "forEach":
        return f"{_LIST} forEach: {{items: {_FROM_INPUTS}}}"
    first = value[0] if value and isinstance(value[0], dict) else {}
    if isinstance(name := first.get("name"), str):
        shown = json.dumps(first.get("value", "..."), ensure_ascii=False)
        return f"write an object: {field}: {{{name}: {shorten(shown, _SHOWN)}}}"
    return f"write an object: {field}: {{name: value}}"


def _as_scalar(expected: str, text: str) -> str:
    """A text that stands for a number or a boolean."""
    word = text.strip().lower()
    if expected == "boolean":
        meant = _BOOLEANS.get(word)
        return f"write {meant}, without quotes" if meant else ""
    if _NUMBER.fullmatch(word) and (expected == "number" or "." not in word):
        return f"write {word}, without quotes"
    return "expressions are not evaluated here; write the number" if "${" in text else ""


def _as_text(field: str, value: float | bool, found: str) -> str:
    if field == "when":
        return 'write an expression such as "${inputs.urgent}", or leave it out'
    if isinstance(value, bool):
        return f'write "{found}"'
    if field.lower().endswith(_DURATIONS):
        return f"write the unit: {found}s is {found} seconds"
    return f'write "{found}"'
