"""Warnings about schemas and literal inputs: they do not prevent a run from being accepted."""

import json
from collections.abc import Iterator
from typing import Any, Final

from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.problems import Problem, did_you_mean
from waypost.compiler.shared_schemas import schema_fields
from waypost.protocol import defaults, schema, violation
from waypost.protocol.ijson import Json

# The keywords of JSON Schema 2020-12, and those that generators add without a meaning.
_KEYWORDS: Final = frozenset(
    (
        *("$id", "$schema", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary"),
        *("$comment", "$defs", "definitions", "dependencies", "allOf", "anyOf", "oneOf", "not"),
        *("if", "then", "else", "dependentSchemas", "prefixItems", "items", "contains"),
        *("properties", "patternProperties", "additionalProperties", "propertyNames"),
        *("unevaluatedItems", "unevaluatedProperties", "type", "enum", "const", "multipleOf"),
        *("maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength"),
        *("pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains"),
        *("maxProperties", "minProperties", "required", "dependentRequired", "title"),
        *("description", "default", "deprecated", "readOnly", "writeOnly", "examples", "format"),
        *("contentEncoding", "contentMediaType", "contentSchema"),
    )
)
# The formats that the vocabulary of JSON Schema has; others may be a word of the author.
_FORMATS: Final = (
    *("date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname"),
    *("ipv4", "ipv6", "uri", "uri-reference", "iri", "iri-reference", "uuid", "uri-template"),
    *("json-pointer", "relative-json-pointer", "regex", "binary", "byte", "int32", "int64"),
    *("float", "double", "password"),
)
# Keywords of other drafts and dialects: they restrict values there and have no effect here.
_FOREIGN: Final = {
    "nullable": "write type: [string, 'null'] to allow null",
    "additionalItems": "write items, which is about the items after prefixItems",
    "discriminator": "write oneOf with a const in each alternative",
    "$recursiveRef": "write $dynamicRef",
    "$recursiveAnchor": "write $dynamicAnchor",
}
YAML_BOOLEANS: Final = {"true": "on, yes, y or true", "false": "off, no, n or false"}
_TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")
_BY_NAME: Final = "write it in properties, by the name of the property"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_warnings(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report keywords without an effect, and defaults that do not meet their own schema."""
    judged: dict[str, list[str]] = {}
    for place, value in schema_fields(spec):
        key = json.dumps(value, sort_keys=True)
        if key not in judged:
            judged[key] = [text for part in schema.parts(value) for text in _oddities(value, part)]
        yield from (Problem(place, text, "warning") for text in judged[key])
        if place.rpartition(".")[2] == "inputSchema":
            texts = dict.fromkeys(_unfilled(value))
            yield from (Problem(place, text, "warning") for text in texts)


def typed_inputs(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Warn of inputs that are written as their types, as in systems with typed parameters."""
    schema_ = spec.input_schema if isinstance(spec.input_schema, dict) else {}
    declared = schema_.get("properties")
    for name, value in (spec.inputs or {}).items():
        if not isinstance(value, dict) or value.get("type") not in _TYPES:
            continue
        if not value.keys() <= _KEYWORDS:
            continue
        if isinstance(declared, dict) and name in declared:
            continue
        text = (
            "reads like a schema, and inputs are values: write it in "
            f"inputSchema.properties.{name}, and a value here"
        )
        yield Problem(f"inputs.{name}", text, "warning")


def misread_keys(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Warn of keys below inputs and outputs that YAML has read as booleans, as `y` of a point."""
    places = [("inputs", spec.inputs), ("outputs", spec.outputs)]
    places += [(f"{node.place}.inputs", node.inputs) for node in spec.all_nodes]
    for place, values in places:
        for key, value in (values or {}).items():
            for path, words in _booleans_in(value, f"{place}.{key}"):
                yield Problem(path, f"{_MISREAD.format(words)}; put the key in quotes", "warning")


_MISREAD: Final = "is how YAML reads the key {} without quotes"


def _booleans_in(value: Json, place: str) -> Iterator[tuple[str, str]]:
    open_: list[tuple[Json, str]] = [(value, place)]  # values may be too deep for recursion
    while open_:
        found, at = open_.pop()
        if isinstance(found, list):
            open_ += ((item, f"{at}[{index}]") for index, item in enumerate(found))
        elif isinstance(found, dict):
            for key, inner in found.items():
                if key in YAML_BOOLEANS:
                    yield f"{at}.{key}", YAML_BOOLEANS[key]
                open_.append((inner, f"{at}.{key}"))


def _unfilled(value: Json) -> Iterator[str]:
    """Report defaults of inputs that are never filled in (S526)."""
    for default, name, keyword in defaults.unfilled(value):
        shown = violation.show(default)
        what = f"the default {shown} of {name!r}" if name else f"the default {shown}"
        if keyword == "patternProperties":
            yield f"{what} is below patternProperties, so it is never filled in; {_BY_NAME}"
        elif keyword:
            way = f"write {'this property with its default' if name else 'it'} beside {keyword}"
            text = "where the value decides what applies, so it is never filled in"
            yield f"{what} is below {keyword}, {text}; {way}"
        else:
            yield f"{what} is never filled in: only missing properties are; {_BY_NAME}"


def _oddities(root: Json, part: dict[str, Any]) -> Iterator[str]:
    if part is root and part and not _KEYWORDS & part.keys():
        first = next(iter(part))
        yield (
            f"it has no keyword of JSON Schema, so it says nothing; if {first} is a property, "
            f"write {{type: object, properties: {{{first}: ...}}}}"
        )
    properties = part.get("properties")
    for key, words in YAML_BOOLEANS.items():
        if isinstance(properties, dict) and key in properties:
            yield f"the property {key!r} {_MISREAD.format(words)}; put the key in quotes"
    name = part.get("format")
    unknown = isinstance(name, str) and name not in _FORMATS
    if unknown and (hint := did_you_mean(str(name), _FORMATS)):
        yield f"there is no format {name!r}{hint}"
    for keyword in part:
        if keyword in _FOREIGN and part[keyword] is not False:
            yield f"{keyword} has no effect in JSON Schema 2020-12; {_FOREIGN[keyword]}"
        elif keyword not in _KEYWORDS and (hint := did_you_mean(keyword, sorted(_KEYWORDS))):
            yield f"there is no keyword {keyword!r}{hint}"
    if part.get("$schema", _DIALECT) not in (_DIALECT, f"{_DIALECT}#"):
        yield f"$schema {part['$schema']!r} has no effect: every schema is read as {_DIALECT}"
    if "default" in part:
        yield from _unfit_default(root, part)


def _unfit_default(root: Json, part: dict[str, Any]) -> Iterator[str]:
    alone = part if part is root else {**part, "$defs": root.get("$defs", {})}
    if part is not root and not all(_is_kept(inner) for inner in schema.parts(part)):
        return  # it refers to a part outside $defs
    completed = schema.apply_defaults(alone, part["default"])
    for problem in schema.validate(alone, completed, limit=1):
        shown = violation.show(part["default"])
        yield f"the default {shown} does not meet its own schema: {problem}"


def _is_kept(part: dict[str, Any]) -> bool:
    """Whether the reference of a part can be resolved in $defs."""
    reference = part.get("$ref", "#/$defs/")
    return str(reference).startswith("#/$defs/") and "$dynamicRef" not in part
