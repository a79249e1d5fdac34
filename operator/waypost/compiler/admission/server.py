"""The whole check of the API server for a new object, and for a part of one that it stores without
structure."""

from functools import cache
from typing import Any, Final

from waypost.api.crd.generate import object_schema
from waypost.api.crd.resources import RESOURCES
from waypost.compiler.admission.rules import broken_rules
from waypost.compiler.admission.structure import Schema, Violation, examine
from waypost.protocol.ijson import Json

_RESOURCES: Final = {resource.kind: resource for resource in RESOURCES}


@cache
def schema_of(kind: str) -> Schema:
    """The structural schema of a kind, without status."""
    return object_schema(_RESOURCES[kind], with_status=False)


def judged(schema: Schema, value: Json, *, kind: str) -> tuple[list[Violation], Any]:
    """What the API server refuses, in the order of the schema, and the value as it would store it.

    Args:
        schema: The structural schema of the value: that of an object, or of a part of one.
        value: The value. It is not changed.
        kind: The kind of the object, for messages.
    """
    examined = examine(schema, value, kind=kind)
    broken = list(broken_rules(schema, examined.value)) if examined.is_sound else []
    return [*examined.violations, *broken], examined.value
