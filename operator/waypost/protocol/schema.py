"""JSON Schema 2020-12: check a schema, validate a value, walk and rewrite schemas."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final

from waypost.protocol import defaults, ijson, violation
from waypost.protocol.defaults import apply_defaults
from waypost.protocol.ijson import Json
from waypost.protocol.violation import Violation

__all__ = [
    "DATA",
    "FORMATS",
    "MAX_SIZE",
    "NAMED",
    "Violation",
    "apply_defaults",
    "check_schema",
    "parts",
    "rewrite",
    "validate",
    "violating_paths",
]

MAX_SIZE: Final = 64 * 1024
FORMATS: Final = frozenset({"date-time", "date", "uri", "email", "uuid"})
_CACHE: Final = 256
# Keywords whose value is a map of names to schemas, and those whose value is data.
NAMED: Final = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
)
DATA: Final = frozenset({"const", "enum", "default", "examples"})


def check_schema(schema: object) -> str | None:
    """Check that Waypost can use a schema.

    Returns:
        Why it cannot, as a sentence; None if it can.
    """
    if not isinstance(schema, dict | bool):
        return f"expected a JSON Schema (an object), found {violation.show(schema)}"
    try:
        size = len(ijson.canonical(ijson.check(schema)))
    except ijson.IJsonError as error:
        return f"not JSON: {error}"
    if size > MAX_SIZE:
        return f"a schema of {size} bytes, the limit is {MAX_SIZE}"
    for part in parts(schema):
        for keyword in ("$ref", "$dynamicRef"):
            target = part.get(keyword)
            if isinstance(target, str) and not target.startswith("#"):
                return (
                    f"{keyword} {target!r}: only references inside the schema (#/...) are allowed"
                )
    try:
        _validator(schema)
    except ValueError as error:
        return f"not a usable JSON Schema: {str(error).splitlines()[0][:300]}"
    if defaults.run_away(schema, parts(schema)):
        return f"its defaults fill each other beyond {defaults.LIMIT} characters"
    return None


def validate(schema: Json, value: Json, *, limit: int = 5) -> tuple[Violation, ...]:
    """Validate a value.

    Args:
        schema: A schema that `check_schema` accepts.
        value: The value.
        limit: Maximum number of violations to return.

    Returns:
        The first violations; empty when the value conforms.

    Raises:
        ValueError: `check_schema` refuses the schema.
    """
    violations: list[Violation] = []
    for error in _validator(schema).iter_errors(value):
        violations.append(violation.of(error))
        if len(violations) >= limit:
            break
    return tuple(violations)


def violating_paths(schema: Json, value: Json) -> Iterator[tuple[str | int, ...]]:
    """The path (keys and indexes) of each part of `value` that violates the schema.

    Raises:
        ValueError: check_schema refuses the schema.
    """
    for error in _validator(schema).iter_errors(value):
        yield tuple(error.instance_path)


def parts(schema: Json) -> Iterator[dict[str, Any]]:
    """The schema and every schema in it."""
    pending = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending.extend(part)
        elif isinstance(part, dict):
            yield part
            for keyword, inner in part.items():
                if keyword in NAMED and isinstance(inner, dict):
                    pending.extend(inner.values())
                elif keyword not in DATA:
                    pending.append(inner)


_validators: OrderedDict[str, Any] = OrderedDict()


def _validator(schema: Json) -> Any:
    key = ijson.digest(schema)
    validator = _validators.get(key)
    if validator is None:
        import jsonschema_rs

        # offline: users write schemas, and a $ref could otherwise read files and addresses.
        validator = jsonschema_rs.Draft202012Validator(
            _asserting(schema), validate_formats=True, offline=True
        )
        _validators[key] = validator
        while len(_validators) > _CACHE:
            _validators.popitem(last=False)
    _validators.move_to_end(key)
    return validator


def _asserting(schema: Json) -> Json:
    """The schema without formats that Waypost does not check (docs/semantics.md, S61)."""
    return rewrite(schema, _without_idle_format)


def _without_idle_format(part: dict[str, Json]) -> dict[str, Json]:
    idle = isinstance(part.get("format"), str) and part["format"] not in FORMATS
    return {key: value for key, value in part.items() if key != "format" or not idle}


def rewrite(schema: Json, change: Callable[[dict[str, Json]], Json]) -> Json:
    """A copy of `schema` with every schema in it replaced by `change(schema)`, inner ones first."""
    if isinstance(schema, list):
        return [rewrite(part, change) for part in schema]
    if not isinstance(schema, dict):
        return schema
    copy: dict[str, Json] = {}
    for keyword, inner in schema.items():
        if keyword in DATA:
            copy[keyword] = inner
        elif keyword in NAMED and isinstance(inner, dict):
            copy[keyword] = {name: rewrite(part, change) for name, part in inner.items()}
        else:
            copy[keyword] = rewrite(inner, change)
    return change(copy)
