"""The value of one YAML document as kubectl reads it, and what is remarkable about its text."""

from dataclasses import dataclass
from typing import Any, Final

import yaml

from waypost.cli.lint import scalars
from waypost.compiler.problems import Severity
from waypost.protocol.ijson import Json

_MAX_VALUES: Final = 200_000  # anchors that name each other make gigabytes from a line
_MAX_DEPTH: Final = 200
_MERGE: Final = "<<"
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unreadable(Exception):
    """A file that is no YAML, or none that can be read. The message has its line and column."""


@dataclass(frozen=True)
class Place:
    """A place in a file; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Remark:
    """What YAML itself makes of a place, against what its author most likely meant."""

    place: Place
    field: str
    message: str
    severity: Severity


class Loader(_BASE):  # type: ignore[misc]
    """PyYAML's parser without its own idea of what a plain scalar is."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """The tag of a node that has none in the text."""
        if kind is yaml.ScalarNode and implicit[0]:
            return scalars.PLAIN
        return super().resolve(kind, value, implicit)


def place(node: Any) -> Place:
    """Where a node begins."""
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def key_text(key: Any) -> str | None:
    """The key of a JSON object that kubectl makes of a node; None where it makes none."""
    if not isinstance(key, yaml.ScalarNode):
        return None
    try:
        return scalars.key(scalars.resolve(key.value, key.tag))
    except scalars.NotJsonError:
        return None


class Reader:
    """Reads one document; `remarks` holds what was found on the way."""

    def __init__(self) -> None:
        self.remarks: list[Remark] = []
        self._left = _MAX_VALUES

    def value(self, node: Any, path: str = "", depth: int = 0) -> Json:
        """The JSON value of a node. Raises Unreadable for what kubectl refuses."""
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise _unreadable(node, "too large or too deep once anchors are used")
        if isinstance(node, yaml.SequenceNode):
            return [
                self.value(item, f"{path}[{at}]", depth + 1) for at, item in enumerate(node.value)
            ]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        return self._scalar(node, path)

    def _mapping(self, node: Any, path: str, depth: int) -> dict[str, Json]:
        made: dict[str, Json] = {}
        merged: dict[str, Json] = {}
        for key, inner in node.value:
            if key.tag == scalars.PLAIN and key.value == _MERGE:
                sources = inner.value if isinstance(inner, yaml.SequenceNode) else [inner]
                for source in sources:
                    value = self.value(source, path, depth + 1)
                    merged = (value if isinstance(value, dict) else {}) | merged
                continue
            name = key_text(key)
            if name is None:
                self._remark(key, path, "a key must be text", "error")
                continue
            below = f"{path}.{name}" if path else name
            if name in made:
                text = f"the key {name!r} is written twice; remove one of them"
                self._remark(key, below, text, "error")
            made[name] = self.value(inner, below, depth + 1)
        return merged | made

    def _scalar(self, node: Any, path: str) -> Json:
        try:
            value = scalars.resolve(node.value, node.tag)
        except scalars.NotJsonError as error:
            raise _unreadable(node, f"kubectl cannot read this: {error}") from error
        meant = scalars.surprise(node.value, value) if node.tag == scalars.PLAIN else None
        if meant is not None:
            text = (
                f"YAML reads {node.value} as {meant}: write it in quotes if it is text, "
                f"as {meant} if it is not"
            )
            self._remark(node, path, text, "warning")
        return value

    def _remark(self, node: Any, path: str, message: str, severity: Severity) -> None:
        self.remarks.append(Remark(place(node), path, message, severity))


def _unreadable(node: Any, text: str) -> Unreadable:
    at = place(node)
    return Unreadable(f"{at.line}:{at.column}: {text}")
