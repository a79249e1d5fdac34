"""Whether a tool's inputSchema is one that libraries and providers can work with. Pure.

They refuse a whole request for one broken schema, so it is judged when the tools are listed. Only
what they read is looked at: an unknown keyword, or one of an older draft, is nothing against a
tool.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

_DEEPEST: Final = 100  # levels; libraries recurse
_MOST: Final = 200_000  # values
_SCHEMA: Final = ("additionalProperties", "items", "propertyNames", "contains")
_MAPS: Final = ("properties", "patternProperties", "$defs")
_LISTS: Final = ("prefixItems", "allOf", "anyOf", "oneOf")
_EMPTY: Final[dict[str, tuple[Any, ...]]] = {"required": (None, {}), "properties": (None,)}
_OBJECT: Final = "an object of schemas"
_VALUES: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "$ref": (lambda value: isinstance(value, str), "text"),
    "type": (
        lambda value: (
            isinstance(value, str)
            or (isinstance(value, list) and all(isinstance(each, str) for each in value))
        ),
        "text or a list of texts",
    ),
    "required": (lambda value: isinstance(value, list), "a list"),
    "enum": (lambda value: isinstance(value, list), "a list"),
    "minItems": (lambda value: type(value) is int, "an integer"),
}


def definition_digest(name: str, description: str | None, parameters: Any) -> str:
    """A digest of the text and the schema with which a tool is shown to models and people."""
    text = json.dumps([name, description, parameters], sort_keys=True, default=str)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def in_form(schema: Any, levels: int = _DEEPEST) -> Any:
    """An inputSchema without `required` and `properties` that are empty in another form than the
    list or the object that they should be: servers in Go and PHP write these."""
    if not isinstance(schema, dict) or not levels:
        return schema

    def inner(value: Any) -> Any:
        return in_form(value, levels - 1)

    kept = {k: v for k, v in schema.items() if k not in _EMPTY or v not in _EMPTY[k]}
    for name, value in kept.items():
        if isinstance(value, dict) and name in _MAPS:
            kept[name] = {key: inner(each) for key, each in value.items()}
        elif isinstance(value, list) and name in (*_LISTS, "items"):
            kept[name] = [inner(each) for each in value]
        elif name in _SCHEMA:
            kept[name] = inner(value)
    return kept


def problem_of(schema: Any) -> str | None:
    """What is wrong with an inputSchema, with its place; None for one that can be used."""
    if not isinstance(schema, dict):
        return "inputSchema: expected an object"
    if schema.get("type") != "object":
        return "inputSchema.type: expected 'object'"
    waiting: list[tuple[str, Any, int]] = [("inputSchema", schema, 0)]
    seen = 0
    while waiting:
        path, part, depth = waiting.pop()
        seen += 1
        if seen > _MOST:
            return f"inputSchema: it has more than {_MOST} parts"
        if depth > _DEEPEST:
            return f"inputSchema: it is nested deeper than {_DEEPEST} levels"
        if isinstance(part, bool):
            continue
        if not isinstance(part, dict):
            return f"{path}: expected a schema"
        for name, (fits, expected) in _VALUES.items():
            if name in part and not fits(part[name]):
                return f"{path}.{name}: expected {expected}"
        for name in (*_MAPS, *_LISTS):
            if name in part and not isinstance(part[name], dict if name in _MAPS else list):
                return (
                    f"{path}.{name}: expected {_OBJECT if name in _MAPS else 'a list of schemas'}"
                )
        waiting += [(where, each, depth + 1) for where, each in _parts(path, part)]
    return None


def _parts(path: str, part: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in _SCHEMA:
        value = part.get(name, True)
        if name == "items" and isinstance(value, list):  # of older drafts
            yield from ((f"{path}.items[{index}]", each) for index, each in enumerate(value))
        else:
            yield f"{path}.{name}", value
    for name in _MAPS:
        yield from (
            (f"{path}.{name}.{key}"[:200], each) for key, each in part.get(name, {}).items()
        )
    for name in _LISTS:
        for index, each in enumerate(part.get(name, [])):
            yield f"{path}.{name}[{index}]", each
