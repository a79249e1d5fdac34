"""JSON Schema 2020-12 at the boundaries: usable schemas, violations with path, defaults."""

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
    """Why `schema` cannot be used, in a sentence; None if it can."""
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
    """The first violations of `value`, at most `limit`; empty when it conforms.

    Raises ValueError for a schema that check_schema refuses.
    """
    found: list[Violation] = []
    for error in _validator(schema).iter_errors(value):
        found.append(violation.of(error))
        if len(found) >= limit:
            break
    return tuple(found)


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
    known = _validators.get(key)
    if known is None:
        import jsonschema_rs

        # offline: a schema is a user's, and without it names files and addresses to be read.
        known = jsonschema_rs.Draft202012Validator(
            _asserting(schema), validate_formats=True, offline=True
        )
        _validators[key] = known
        while len(_validators) > _CACHE:
            _validators.popitem(last=False)
    _validators.move_to_end(key)
    return known


def _asserting(schema: Json) -> Json:
    """The schema without the formats that are not asserted (S61)."""
    return rewrite(schema, _without_idle_format)


def _without_idle_format(part: dict[str, Json]) -> dict[str, Json]:
    idle = isinstance(part.get("format"), str) and part["format"] not in FORMATS
    return {keyword: said for keyword, said in part.items() if keyword != "format" or not idle}


def rewrite(schema: Json, change: Callable[[dict[str, Json]], Json]) -> Json:
    """A copy of `schema` in which every schema is what `change` makes of it, inner ones first."""
    if isinstance(schema, list):
        return [rewrite(part, change) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Json] = {}
    for keyword, inner in schema.items():
        if keyword in DATA:
            made[keyword] = inner
        elif keyword in NAMED and isinstance(inner, dict):
            made[keyword] = {name: rewrite(part, change) for name, part in inner.items()}
        else:
            made[keyword] = rewrite(inner, change)
    return change(made)
