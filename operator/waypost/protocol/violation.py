"""Violations of a JSON Schema, worded for the author of the value or of the schema."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from waypost.protocol.ijson import Json, step
from waypost.protocol.text import shorten

_SHOWN: Final = 80


@dataclass(frozen=True)
class Violation:
    """One violation: the path (`$.a[0]`), what the schema expects, what the value has."""

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, found {self.found}"


def of(error: Any) -> Violation:
    """The violation in a jsonschema_rs.ValidationError."""
    path = "$" + "".join(map(step, error.instance_path))
    return Violation(path=path, expected=_expected(error), found=show(error.instance))


def of_schema(error: ValueError) -> str:
    """What the validator objects to in a schema, with the place of the keyword."""
    said = str(error).splitlines()[0][:300]
    path = list(getattr(error, "instance_path", ()))
    place = "$" + "".join(map(step, path))
    found = getattr(error, "instance", None)
    if path[-1:] == ["type"] and "anyOf" in said:
        said = f"expected one of {_TYPES}, or a list of them, found {show(found)}"
    if missing := _POINTER.match(said):
        return f"a $ref names #{missing[1]}, and the schema has nothing there"
    is_property = len(path) > 1 and path[-2] == "properties"
    said += _as_property(found) if is_property else _way_out(path[-1] if path else "", found)
    return said if place == "$" else f"{place}: {said}"


_POINTER: Final = re.compile(r"Pointer '(.*)' does not exist")


def _as_property(found: object) -> str:
    """How a property is written of which only its type is given."""
    if found is None:
        return "; write {} to allow any value"
    known = _TYPES_ELSEWHERE.get(str(found).strip().lower(), found)
    return f"; write {{type: {known}}}" if isinstance(found, str) else ""


_TYPES_ELSEWHERE: Final = {
    **dict.fromkeys(("int", "int32", "int64", "long"), "integer"),
    **dict.fromkeys(("float", "double", "decimal"), "number"),
    **dict.fromkeys(("str", "text"), "string"),
    **dict.fromkeys(("bool",), "boolean"),
    **dict.fromkeys(("list", "tuple", "set"), "array"),
    **dict.fromkeys(("dict", "map", "struct", "record"), "object"),
    **dict.fromkeys(("none", "nil"), "'null'"),
}
_FORMATS_ELSEWHERE: Final = {
    **dict.fromkeys(("date", "time", "uuid", "uri", "email"), ""),
    **dict.fromkeys(("datetime", "timestamp"), "date-time"),
    "url": "uri",
}


def _way_out(keyword: object, found: object) -> str:
    """How a schema says what other drafts, dialects and languages write, as the end of a message;
    "" where that is not known."""
    match keyword, found:
        case "items", list():
            return "; write prefixItems, and items for the items after these"
        case (("exclusiveMinimum" | "exclusiveMaximum"), bool()):
            return f"; write the bound itself: {keyword}: 0, without {str(keyword)[9:].lower()}"
        case "required", bool():
            return "; write required: [name] in the object that has the property"
        case "required", str():
            return f"; write [{found}]"
        case (("items" | "additionalProperties"), str()):
            return f"; write {{type: {found}}}"
        case (("anyOf" | "allOf" | "oneOf"), dict()):
            return f"; write a list: {keyword}: [{{...}}]"
        case "enum", str():
            return "; write a list: enum: [a, b]"
        case "properties", list():
            return "; write an object: {name: {type: ...}}"
        case "pattern", str():
            return _pattern_meant(found)
        case "type", str():
            return _type_meant(found.strip().lower())
    return ""


def _pattern_meant(pattern: str) -> str:
    if re.search(r"\\[AzZ]", pattern):
        return "; write ^ and $ for the ends of the text"
    if re.search(r"\[[^\]]*\\[wdsWDS]-[^\]]", pattern):
        return "; write - at the end of [...], or \\-"
    return "; patterns are those of ECMAScript"


def _type_meant(word: str) -> str:
    if word in _FORMATS_ELSEWHERE:
        return f"; write type: string with format: {_FORMATS_ELSEWHERE[word] or word}"
    if word in ("any", "unknown", "mixed", "json"):
        return "; leave type out to allow any value"
    known = _TYPES_ELSEWHERE.get(word, word if word in _TYPES else "")
    close = get_close_matches(word, _TYPES.split(", "), n=1)
    meant = known or (close[0] if close else "")
    return f"; did you mean {meant}?" if meant else ""


# By the name of the validator's error kind; {0} is the value of the keyword in the schema.
_PHRASES: Final = {
    "minLength": "at least {0} characters",
    "maxLength": "at most {0} characters",
    "minItems": "at least {0} items",
    "maxItems": "at most {0} items",
    "minProperties": "at least {0} properties",
    "maxProperties": "at most {0} properties",
    "minimum": "at least {0}",
    "maximum": "at most {0}",
    "exclusiveMinimum": "more than {0}",
    "exclusiveMaximum": "less than {0}",
    "multipleOf": "a multiple of {0}",
    "pattern": "text that matches {0}",
    "format": "a {0}",
    "const": "{0}",
    "enum": "one of {0}",
    "required": "a property {0}",
    "type": "{0}",
    "uniqueItems": "no item twice",
    "additionalProperties": "no property {0}",
    "unevaluatedProperties": "no property {0}",
    "falseSchema": "nothing here",
}


# The library's messages for these begin with the whole value, and say nothing else.
_BY_NAME: Final = {
    "not": "a value that does not match the schema of `not`",
    "contains": "an array of which as many items as demanded match `contains`",
    "anyOf": "a value that matches one of the schemas of `anyOf`",
    "oneOf": "a value that matches one of the schemas of `oneOf`",
    "unevaluatedItems": "no other items than those that its schemas describe",
}
# How the library's messages for these end. Before that stands the value, with any words.
_TOO_MANY_MATCH: Final = (
    " is valid under more than one of the schemas listed in the 'oneOf' keyword"
)
_TOO_MANY_STEPS: Final = "Max limit for backtracking count exceeded"
_TYPES: Final = "array, boolean, integer, null, number, object, string"


def _expected(error: Any) -> str:
    message = str(error.message)
    if error.kind.name == "pattern" and message.endswith(_TOO_MANY_STEPS):
        return "a text of which its pattern is decided in fewer steps: repeat less in the pattern"
    if error.kind.name in _PHRASES:
        return phrase(error.kind.name, error.kind.value)
    if error.kind.name == "oneOf" and message.endswith(_TOO_MANY_MATCH):
        return "a value that matches only one of the schemas of `oneOf`"
    if error.kind.name == "propertyNames":
        return f"names of properties that match `propertyNames` ({shorten(message, 2 * _SHOWN)})"
    if error.kind.name in _BY_NAME:
        return _BY_NAME[error.kind.name]
    return message if len(message) <= 2 * _SHOWN else f"…{message[-2 * _SHOWN :]}"


def phrase(keyword: str, value: Json) -> str:
    """What a keyword of a schema demands, in words; `value` is its value in the schema."""
    if keyword == "enum" and value == []:
        return "nothing, because its `enum` is empty"
    if keyword == "type":
        listed = value if isinstance(value, list) else [value]
        return " or ".join(str(item) for item in listed)
    if isinstance(value, list):
        text = ", ".join(repr(item) for item in value[:12])
    else:
        text = str(value) if keyword == "format" else repr(value)
    return _PHRASES[keyword].format(text if len(text) <= 2 * _SHOWN else f"{text[: 2 * _SHOWN]}…")


def show(value: Json) -> str:
    """A value with its type, on one line of about 80 characters."""
    kind = {
        str: "string",
        bool: "boolean",
        int: "integer",
        float: "number",
        list: "array",
        dict: "object",
        type(None): "null",
    }.get(type(value), type(value).__name__)
    if value is None:
        return "null"
    if isinstance(value, dict):
        return f"an object with {', '.join(map(repr, list(value)[:6])) or 'no properties'}"[:_SHOWN]
    if isinstance(value, list):
        return f"an array of {len(value)}"
    text = repr(value)
    return f"{shorten(text, _SHOWN)} ({kind})"
