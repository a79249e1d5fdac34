"""The schemas inside a schema, and where a reference between them leads."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

from waypost.protocol.ijson import Json

# Keywords whose value is a map of names to schemas, and those whose value is data.
NAMED: Final = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
)
DATA: Final = frozenset({"const", "enum", "default", "examples"})
# $dynamicRef is like $ref: below the root there is no $id, so nothing can lead elsewhere.
REFERENCES: Final = ("$ref", "$dynamicRef")
ANCHORS: Final = ("$anchor", "$dynamicAnchor")


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


class References:
    """Where the local references of one schema lead."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._anchors: dict[str, dict[str, Any]] | None = None

    def targets(self, part: dict[str, Any]) -> Iterator[tuple[str, Json]]:
        """(keyword, schema) of each reference of a part that leads to something."""
        for keyword in REFERENCES:
            if keyword in part:
                target = self.target(part[keyword])
                if target is not None:
                    yield keyword, target

    def target(self, reference: Json) -> Json:
        """What `#`, `#/...` or `#anchor` names; None when that is nothing in this schema."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        if reference == "#" or reference.startswith("#/"):
            return _at(self._root, reference)
        if self._anchors is None:
            self._anchors = dict(anchors(self._root))
        return self._anchors.get(unquote(reference[1:]))


def anchors(root: Json) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, schema) of each anchor in a schema."""
    for part in parts(root):
        names = {part[keyword] for keyword in ANCHORS if isinstance(part.get(keyword), str)}
        yield from ((name, part) for name in names)


def _at(root: Json, pointer: str) -> Json:
    target = root
    for step in unquote(pointer[1:]).split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and key.isdigit() and int(key) < len(target):
            target = target[int(key)]
        else:
            target = target.get(key) if isinstance(target, dict) else None
    return target
