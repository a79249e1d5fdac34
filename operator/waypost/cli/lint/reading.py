"""The value of one YAML document as kubectl reads it, and what is remarkable about its text."""

import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from waypost.cli.lint import scalars
from waypost.compiler.problems import Severity
from waypost.protocol.ijson import Json

_MAX_VALUES: Final = 200_000  # anchors that name each other make gigabytes from a line
_MAX_DEPTH: Final = 200
_MERGE_TAG: Final = "tag:yaml.org,2002:merge"
_NOT_MERGED: Final = "map merge requires map or sequence of maps as the value"
# YAML 1.2 has this escape, kubectl's library does not.
_SLASH: Final = re.compile(r"(?<!\\)(?:\\\\)*\\/")
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


class _PlainScalars:
    """A parser of PyYAML without its own idea of what a plain scalar is."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """The tag of a node that has none in the text."""
        if kind is yaml.ScalarNode and implicit[0]:
            return scalars.PLAIN
        return super().resolve(kind, value, implicit)  # type: ignore[misc]


class Loader(_PlainScalars, _BASE):  # type: ignore[misc]
    """The fast parser."""


class PlainLoader(_PlainScalars, yaml.SafeLoader):
    """The parser in Python, for documents that use the name of an anchor again."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next node. Its anchor replaces an earlier one of that name."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)
        return super().compose_node(parent, index)


def place(node: Any, lines: int = 0) -> Place:
    """Where a node begins; `lines` are before the text in which it is."""
    return Place(node.start_mark.line + 1 + lines, node.start_mark.column + 1)


def key_text(key: Any) -> str | None:
    """The key of a JSON object that kubectl makes of a node; None where it makes none."""
    if not isinstance(key, yaml.ScalarNode):
        return None
    try:
        return scalars.key(scalars.resolve(key.value, key.tag))
    except scalars.NotJsonError:
        return None


class Reader:
    """Reads one document; `remarks` holds what was found on the way.

    Args:
        text: The text of the document, if it is YAML.
        lines: How many lines of the file are before it.
    """

    def __init__(self, text: str = "", lines: int = 0) -> None:
        self.remarks: list[Remark] = []
        self._left = _MAX_VALUES
        self._text = text
        self._lines = lines

    def value(self, node: Any, path: str = "", depth: int = 0) -> Json:
        """The JSON value of a node. Raises Unreadable for what kubectl refuses."""
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise self._unreadable(node, "too large or too deep once anchors are used")
        if isinstance(node, yaml.SequenceNode):
            return [
                self.value(item, f"{path}[{at}]", depth + 1) for at, item in enumerate(node.value)
            ]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        return self._scalar(node, path)

    def _mapping(self, node: Any, path: str, depth: int) -> dict[str, Json]:
        # Later keys and merges win over earlier ones, whichever of them is a merge.
        made: dict[str, Json] = {}
        written: set[str] = set()
        for key, inner in node.value:
            if key.value == scalars.MERGE and key.tag in (scalars.PLAIN, _MERGE_TAG):
                merged = self._merged(inner, path, depth)
                self._overridden(key, path, sorted(written & merged.keys()))
                made |= merged
                continue
            name = key_text(key)
            if name is None:
                self._remark(key, path, "a key must be text", "error")
                continue
            below = f"{path}.{name}" if path else name
            if name in written:
                text = f"the key {name!r} is written twice; remove one of them"
                self._remark(key, below, text, "error")
            written.add(name)
            made[name] = self.value(inner, below, depth + 1)
        return made

    def _merged(self, node: Any, path: str, depth: int) -> dict[str, Json]:
        """The entries that `<<` adds: of several maps, the first with a key gives its value."""
        made: dict[str, Json] = {}
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(source, yaml.MappingNode):
                raise self._unreadable(source, f"kubectl cannot read this: {_NOT_MERGED}")
            made = self._mapping(source, path, depth + 1) | made
        return made

    def _overridden(self, key: Any, path: str, names: list[str]) -> None:
        if names:
            text = (
                f"kubectl lets << replace the keys before it ({', '.join(names)}); write << first"
            )
            self._remark(key, path, text, "warning")

    def _scalar(self, node: Any, path: str) -> Json:
        try:
            value = scalars.resolve(node.value, node.tag)
        except scalars.NotJsonError as error:
            raise self._unreadable(node, f"kubectl cannot read this: {error}") from error
        self._refuse_slash(node)
        meant = scalars.surprise(node.value, value) if node.tag == scalars.PLAIN else None
        if meant is not None:
            text = (
                f"YAML reads {node.value} as {meant}: write it in quotes if it is text, "
                f"as {meant} if it is not"
            )
            self._remark(node, path, text, "warning")
        return value

    def _refuse_slash(self, node: Any) -> None:
        if node.style == '"' and self._text:
            written = self._text[node.start_mark.index : node.end_mark.index]
            if _SLASH.search(written):
                text = "kubectl cannot read this: \\/ is an escape in JSON, not here; write /"
                raise self._unreadable(node, text)

    def _remark(self, node: Any, path: str, message: str, severity: Severity) -> None:
        self.remarks.append(Remark(place(node, self._lines), path, message, severity))

    def _unreadable(self, node: Any, text: str) -> Unreadable:
        at = place(node, self._lines)
        return Unreadable(f"{at.line}:{at.column}: {text}")
