"""Values without what their schema marks as sensitive: `x-waypost-sensitive: true`.

Whether an alternative applies to a value is not judged: what one of them marks is left out. So a
mark never depends on a value that somebody else chooses.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from waypost.protocol.ijson import Json
from waypost.protocol.references import References, parts

MARK: Final = "x-waypost-sensitive"
REPLACED: Final = "[redacted]"
_TYPES: Final[dict[str, type]] = {"object": dict, "array": list}
_LISTS: Final = ("allOf", "anyOf", "oneOf")
_SINGLE: Final = ("if", "then", "else")


def without_marked(value: Json, schema: Json) -> Json:
    """The value, with [redacted] in the place of each part that the schema marks.

    Args:
        value: JSON.
        schema: Its JSON Schema; None marks nothing. If it marks anything, a value without parts, or
            of another type than it says, is left out as a whole: it may be the same data in another
            form.
    """
    if not marks(schema):
        return value
    type_ = schema.get("type") if isinstance(schema, dict) else None
    expected = _TYPES.get(type_, object) if isinstance(type_, str) else object
    if not isinstance(value, dict | list) or not isinstance(value, expected):
        return REPLACED
    return _Walk(schema).of(value, [schema])


def marks(schema: Json) -> bool:
    """Whether a schema marks anything."""
    return any(part.get(MARK) is True for part in parts(schema))


def is_marked(schema: Json, steps: Iterable[str]) -> bool:
    """Whether the value at this path is marked, or lies in one that is.

    Args:
        schema: The schema of the value at the beginning of the path.
        steps: Names of properties.
    """
    return marks(schema) and _Walk(schema).marks_at([schema], list(steps))


class _Walk:
    def __init__(self, root: Json) -> None:
        self._references = References(root)

    def of(self, value: Json, schemas: list[Json]) -> Json:
        """The value, to which each of these schemas may apply."""
        applied = list(self._applied(schemas))
        if any(schema.get(MARK) is True for schema in applied):
            return REPLACED
        if isinstance(value, dict):
            return {name: self.of(item, _of_name(applied, name)) for name, item in value.items()}
        if isinstance(value, list):
            return [self.of(item, _of_item(applied, at)) for at, item in enumerate(value)]
        return value

    def marks_at(self, schemas: list[Json], steps: list[str]) -> bool:
        """Whether the value at this path below the schemas is in one that is marked."""
        applied = list(self._applied(schemas))
        if any(schema.get(MARK) is True for schema in applied):
            return True
        if not steps:
            return False
        return self.marks_at(_of_name(applied, steps[0]), steps[1:])

    def _applied(self, schemas: list[Json]) -> Iterator[dict[str, Any]]:
        """The schemas, and those that they name for the same place, each once."""
        pending, seen = list(schemas), set[int]()
        while pending:
            schema = pending.pop()
            if not isinstance(schema, dict) or id(schema) in seen:
                continue
            seen.add(id(schema))
            yield schema
            pending += [target for _, target in self._references.targets(schema)]
            pending += [schema[keyword] for keyword in _SINGLE if keyword in schema]
            for keyword in _LISTS:
                pending += _listed(schema.get(keyword))
            pending += _values(schema.get("dependentSchemas"))


def _of_name(schemas: list[dict[str, Any]], name: str) -> list[Json]:
    """What may apply to the property of this name."""
    found: list[Json] = []
    for schema in schemas:
        properties = schema.get("properties")
        own = isinstance(properties, dict) and name in properties
        found += [properties[name]] if own and isinstance(properties, dict) else []
        found += _values(schema.get("patternProperties"))  # no pattern is evaluated
        if not own:
            found += [schema.get("additionalProperties"), schema.get("unevaluatedProperties")]
    return found


def _of_item(schemas: list[dict[str, Any]], at: int) -> list[Json]:
    """What may apply to the item at this place."""
    found: list[Json] = []
    for schema in schemas:
        first = _listed(schema.get("prefixItems"))
        found += first[at : at + 1]
        found += [schema.get("items"), schema.get("contains"), schema.get("unevaluatedItems")]
    return found


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _values(value: Json) -> list[Json]:
    return list(value.values()) if isinstance(value, dict) else []
