"""The words in which the tables of typed edges are written."""

from dataclasses import dataclass
from typing import Any

from waypost.api.base import JsonObject

from tests.support.builders import python, spec

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
OPTIONAL_TEXT: Schema = {"type": ["string", "null"]}
TEXTS: Schema = {"type": "array", "items": TEXT}
KIND: Schema = {"enum": ["incident", "question", "praise"]}


@dataclass(frozen=True)
class Wrong:
    """A spec with one mistake, and the first problem that is reported: `field: message`."""

    spec: JsonObject
    says: str


def shape(**properties: Schema) -> Schema:
    """An object with these properties, all required."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def loose(**properties: Schema) -> Schema:
    """An object with these properties, none required."""
    return {"type": "object", "properties": properties}


def gives(**properties: Schema) -> JsonObject:
    """Node a, which gives an object with these properties."""
    return python("a", outputSchema=shape(**properties))


def takes(value: Any, schema: Schema | None, **fields: Any) -> JsonObject:
    """Node b with the input v, of this schema."""
    declared = fields if schema is None else {**fields, "inputSchema": shape(v=schema)}
    return python("b", inputs={"v": value}, **declared)


def edge(given: Schema, taken: Schema) -> JsonObject:
    """What a gives goes whole to b."""
    return spec(python("a", outputSchema=given), takes("${nodes.a.output}", taken))


def when(condition: str, **properties: Schema) -> JsonObject:
    """Node b under a condition on what a gives."""
    return spec(gives(**properties), python("b", when=condition))


def reads(expression: str, **properties: Schema) -> JsonObject:
    """Node b reads what a gives."""
    return spec(gives(**properties), takes(f"${{{expression}}}", None))


def http(name: str, *, url: str = "https://example.org", **fields: Any) -> JsonObject:
    """An http node; `fields` of its block."""
    return {"name": name, "http": {"url": url, **fields}}


OPTIONAL_SHAPE: Schema = {"anyOf": [shape(x=WHOLE), {"type": "null"}]}
OPTIONAL_SHAPES: Schema = {"type": "array", "items": OPTIONAL_SHAPE}
LINE = shape(article=TEXT, price=NUMBER)
LINES: Schema = {"type": "array", "items": {"$ref": "#/schemas/Line"}}
INVOICE = shape(number=TEXT, total=NUMBER, lines=LINES)
SHARED = {"Invoice": INVOICE, "Line": LINE}
