"""What is odd in a schema and does not keep a run from starting."""

import json
from collections.abc import Iterator
from typing import Any, Final

from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.problems import Problem, did_you_mean
from waypost.compiler.shared_schemas import schema_fields
from waypost.protocol import schema, violation
from waypost.protocol.ijson import Json

# Of JSON Schema 2020-12, with what generators of schemas add and mean nothing by.
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
# Keywords of other drafts and dialects that change what is allowed there, and nothing here.
_FOREIGN: Final = {
    "nullable": "write type: [string, 'null'] to allow null",
    "additionalItems": "write items, which is about the items after prefixItems",
    "discriminator": "write oneOf with a const in each alternative",
}


def schema_warnings(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Keywords without an effect, and defaults that break the schema they stand in."""
    judged: dict[str, list[str]] = {}
    for place, value in schema_fields(spec):
        text = json.dumps(value, sort_keys=True)
        if text not in judged:
            judged[text] = [found for part in schema.parts(value) for found in _odd(value, part)]
        yield from (Problem(place, found, "warning") for found in judged[text])


def _odd(root: Json, part: dict[str, Any]) -> Iterator[str]:
    for keyword in part:
        if keyword in _FOREIGN and part[keyword] is not False:
            yield f"{keyword} has no effect in JSON Schema 2020-12; {_FOREIGN[keyword]}"
        elif keyword not in _KEYWORDS and (hint := did_you_mean(keyword, sorted(_KEYWORDS))):
            yield f"there is no keyword {keyword!r}{hint}"
    if "default" in part:
        yield from _unfit_default(root, part)


def _unfit_default(root: Json, part: dict[str, Any]) -> Iterator[str]:
    alone = part if part is root else {**part, "$defs": root.get("$defs", {})}
    if part is not root and not all(_is_kept(inner) for inner in schema.parts(part)):
        return  # it refers to what is not beside it here
    completed = schema.apply_defaults(alone, part["default"])
    for found in schema.validate(alone, completed, limit=1):
        shown = violation.show(part["default"])
        yield f"the default {shown} does not meet its own schema: {found}"


def _is_kept(part: dict[str, Any]) -> bool:
    """Whether what a part refers to is still there when only $defs are."""
    reference = part.get("$ref", "#/$defs/")
    return str(reference).startswith("#/$defs/") and "$dynamicRef" not in part
