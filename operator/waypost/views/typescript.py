"""The documents as TypeScript, for the web interface: from their JSON Schema, without Node.js."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from waypost.api.base import JsonObject

_HEAD: Final = (
    "// Made by `make crds` from docs/views.schema.json. Do not edit.\n"
    "// A field that is not required is left out when its value is not known.\n\n"
    "export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;\n"
    "export interface JsonObject {\n  [key: string]: JsonValue;\n}\n"
)
_SIMPLE: Final = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def typescript(schema: JsonObject) -> str:
    """The definitions of a schema as interfaces, in the order of their names."""
    found = schema["$defs"]
    assert isinstance(found, dict)
    parts = [_HEAD]
    for name in sorted(found):
        if name not in ("JsonValue", "JsonObject"):
            parts.append(_definition(name, found[name]))
    return "\n".join(parts)


def _definition(name: str, schema: Mapping[str, Any]) -> str:
    if "properties" not in schema:
        return f"export type {name} = {_type(schema)};\n"
    return "".join([f"export interface {name} {{\n", *_fields(schema), "}\n"])


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    required = schema.get("required", ())
    for field, inner in schema["properties"].items():
        # Lists and counters have defaults, and are always written.
        always = field in required or inner.get("default") is not None or "items" in inner
        type_ = _type(inner)
        if not always:
            type_ = type_.removesuffix(" | null")
        yield f"  {json.dumps(field) if not field.isidentifier() else field}"
        yield f"{'' if always else '?'}: {type_};\n"


def _type(schema: Mapping[str, Any]) -> str:
    if reference := schema.get("$ref"):
        return str(reference).rpartition("/")[2]
    if options := schema.get("anyOf"):
        return " | ".join(dict.fromkeys(_type(one) for one in options))
    if choices := schema.get("enum"):
        return " | ".join(json.dumps(one) for one in choices)
    kind = schema.get("type")
    if kind == "array":
        inner = _type(schema.get("items", {}))
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"Record<string, {_type(values)}>" if isinstance(values, dict) else "JsonObject"
    return _SIMPLE.get(str(kind), "JsonValue")
