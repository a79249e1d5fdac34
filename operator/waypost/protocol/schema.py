"""JSON Schema 2020-12 at the boundaries: usable schemas, violations with path, defaults."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from waypost.protocol import ijson
from waypost.protocol.ijson import Json

_FORMATS: Final = frozenset({"date-time", "date", "uri", "email", "uuid"})
_SHOWN: Final = 80
_CACHE: Final = 256


@dataclass(frozen=True)
class Violation:
    """Where a value breaks its schema: JSON path, what was expected, what was found."""

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, found {self.found}"


def check_schema(schema: object) -> str | None:
    """Why `schema` cannot be used, in a sentence; None if it can."""
    if not isinstance(schema, dict | bool):
        return f"expected a JSON Schema (an object), found {_show(schema)}"
    remote = _remote_reference(schema)
    if remote:
        return f"$ref {remote!r}: only references inside the schema (#/...) are allowed"
    try:
        _validator(schema)
    except ValueError as error:
        return f"not a usable JSON Schema: {str(error).splitlines()[0][:300]}"
    return None


def validate(schema: Json, value: Json, *, limit: int = 5) -> tuple[Violation, ...]:
    """The first violations of `value`, at most `limit`; empty when it conforms.

    Raises ValueError for a schema that check_schema refuses.
    """
    found = []
    for error in _validator(schema).iter_errors(value):
        found.append(_violation(error))
        if len(found) >= limit:
            break
    return tuple(found)


def apply_defaults(schema: Json, value: Json) -> Json:
    """`value` with `default`s of missing properties filled in, nested ones too; a new value."""
    return _defaults(schema, value, schema, 0)


def _defaults(schema: Json, value: Json, root: Json, depth: int) -> Json:
    schema = _resolve(schema, root)
    if not isinstance(schema, dict) or depth > ijson.MAX_DEPTH:
        return value
    properties = schema.get("properties")
    if isinstance(value, dict) and isinstance(properties, dict):
        filled = dict(value)
        for key, part in properties.items():
            declared = _resolve(part, root)
            if key not in filled and isinstance(declared, dict) and "default" in declared:
                filled[key] = declared["default"]
            if key in filled:
                filled[key] = _defaults(part, filled[key], root, depth + 1)
        return filled
    if isinstance(value, list) and "items" in schema:
        return [_defaults(schema["items"], item, root, depth + 1) for item in value]
    return value


def _resolve(schema: Json, root: Json) -> Json:
    for _ in range(8):
        if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
            return schema
        target: Any = root
        for part in schema["$ref"].removeprefix("#").strip("/").split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, dict) and key else target
        schema = target
    return schema


def _remote_reference(schema: Json) -> str | None:
    pending = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            for key in ("$ref", "$dynamicRef"):
                target = part.get(key)
                if isinstance(target, str) and not target.startswith("#"):
                    return target
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
    return None


_validators: OrderedDict[str, Any] = OrderedDict()


def _validator(schema: Json) -> Any:
    key = ijson.digest(schema)
    known = _validators.get(key)
    if known is None:
        import jsonschema_rs

        known = jsonschema_rs.Draft202012Validator(_asserted_formats(schema), validate_formats=True)
        _validators[key] = known
        while len(_validators) > _CACHE:
            _validators.popitem(last=False)
    _validators.move_to_end(key)
    return known


def _asserted_formats(schema: Json) -> Json:
    """The schema without the formats that are not asserted (semantics row 16)."""
    if isinstance(schema, dict):
        return {
            key: _asserted_formats(part)
            for key, part in schema.items()
            if key != "format" or not isinstance(part, str) or part in _FORMATS
        }
    if isinstance(schema, list):
        return [_asserted_formats(part) for part in schema]
    return schema


def _violation(error: Any) -> Violation:
    path = "$"
    for step in error.instance_path:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return Violation(path=path, expected=_expected(error), found=_show(error.instance))


# By the name of the validator's error kind; {0} is what the keyword says in the schema.
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


def _expected(error: Any) -> str:
    phrase = _PHRASES.get(error.kind.name)
    if phrase is None:
        message = str(error.message)
        return message if len(message) <= 2 * _SHOWN else f"…{message[-2 * _SHOWN :]}"
    said = error.kind.value
    if error.kind.name == "type":
        listed = said if isinstance(said, list) else [said]
        return " or ".join(str(item) for item in listed)
    if isinstance(said, list):
        text = ", ".join(repr(item) for item in said[:12])
    else:
        text = str(said) if error.kind.name == "format" else repr(said)
    return phrase.format(text if len(text) <= 2 * _SHOWN else f"{text[: 2 * _SHOWN]}…")


def _show(value: Json) -> str:
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
    return f"{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'} ({kind})"
