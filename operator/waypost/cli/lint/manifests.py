"""YAML files as the API server would read them, with the place of every field.

kubectl reads YAML 1.1: an unquoted on, yes or y is true, as a value and as a key. A reader of
YAML 1.2 would not see what the cluster sees.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from waypost.compiler.problems import Severity
from waypost.protocol.ijson import Json

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_VALUES: Final = 200_000  # anchors that name each other make gigabytes from a line
_MAX_DEPTH: Final = 200
_TRUE: Final = frozenset(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"))
_FALSE: Final = frozenset(("n", "N", "no", "No", "NO", "off", "Off", "OFF"))
_PLAIN_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True} | dict.fromkeys(
    ("false", "False", "FALSE"), False
)
_STEP: Final = re.compile(r'\["(?:[^"\\]|\\.)*"\]|\[(\d+)\]|\.?([^.\[\]]+)')
_MERGE: Final = "tag:yaml.org,2002:merge"
_STRING: Final = "tag:yaml.org,2002:str"


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


@dataclass
class Document:
    """One YAML document: its value, and where its fields are."""

    value: Json
    node: Any
    remarks: list[Remark] = field(default_factory=list)

    def place_of(self, path: str) -> Place:
        """Where a field such as `spec.nodes.draft.inputs.x` stands; as much of it as there is.
        Items of lists are named by index or, where they have one, by `name`."""
        node, mark = self.node, self.node.start_mark
        at = 0
        while (step := _STEP.match(path, at)) is not None:
            found = _below(node, path, at, step)
            if found is None:
                break
            key, node, at = found
            mark = key.start_mark
        return Place(mark.line + 1, mark.column + 1)


def documents(text: str) -> Iterator[Document]:
    """The documents of a text, empty ones left out. Raises Unreadable."""
    try:
        for node in yaml.compose_all(text, Loader=_LOADER):
            if not _is_empty(node):
                reader = _Reader()
                value = reader.value(node, "", 0)
                yield Document(value, node, reader.remarks)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{mark.line + 1}:{mark.column + 1}: " if mark else ""
        raise Unreadable(f"{place}not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise Unreadable(f"1:1: not YAML: {' '.join(str(error).split())[:200]}") from error


def _is_empty(node: Any) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~")


def _below(node: Any, path: str, at: int, step: re.Match[str]) -> tuple[Any, Any, int] | None:
    """The node of the key, that of the value, and how far the path is used up."""
    index, name = step.groups()
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            if (index is not None and number == int(index)) or (name and _name_of(item) == name):
                return item, item, step.end()
        return None
    if not isinstance(node, yaml.MappingNode):
        return None
    rest = path[at:].removeprefix(".")
    skipped = len(path) - at - len(rest)
    best = None
    for key, value in node.value:
        written = getattr(key, "value", None)
        if not isinstance(written, str):
            continue
        if not key.style and written in _TRUE | _FALSE:
            written = "true" if written in _TRUE else "false"
        quoted = step.group() == f'["{written}"]'
        if quoted:
            return key, value, step.end()
        # Keys may hold dots: the longest one that fits is meant.
        fits = rest == written or rest.startswith((f"{written}.", f"{written}["))
        end = at + skipped + len(written)
        if fits and (best is None or end > best[2]):
            best = key, value, end
    return best


def _name_of(item: Any) -> str | None:
    if isinstance(item, yaml.MappingNode):
        for key, value in item.value:
            if getattr(key, "value", None) == "name":
                return str(value.value)
    return None


class _Reader:
    """The value of one document, and what is remarkable about how it is written."""

    def __init__(self) -> None:
        self.remarks: list[Remark] = []
        self._left = _MAX_VALUES

    def value(self, node: Any, path: str, depth: int) -> Json:
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            mark = node.start_mark
            text = f"{mark.line + 1}:{mark.column + 1}: too large or too deep once anchors are used"
            raise Unreadable(text)
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
            if key.tag == _MERGE:
                sources = inner.value if isinstance(inner, yaml.SequenceNode) else [inner]
                for source in sources:
                    value = self.value(source, path, depth + 1)
                    merged = (value if isinstance(value, dict) else {}) | merged
                continue
            name = self._key(key, path)
            below = f"{path}.{name}" if path else name
            if name in made:
                self._remark(key, below, f"the key {name!r} stands twice; remove one", "error")
            made[name] = self.value(inner, below, depth + 1)
        return merged | made

    def _key(self, key: Any, path: str) -> str:
        if not isinstance(key, yaml.ScalarNode):
            self._remark(key, path, "a key must be text", "error")
            return "?"
        value = self._plain(key)
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(key.value)

    def _scalar(self, node: Any, path: str) -> Json:
        value = self._plain(node)
        if isinstance(value, bool) and node.value not in _PLAIN_BOOLEANS:
            text = (
                f"YAML reads {node.value} as {str(value).lower()}: write it in quotes if it is "
                f"text, as {str(value).lower()} if it is not"
            )
            self._remark(node, path, text, "warning")
        return value

    def _plain(self, node: Any) -> Json:
        """The value of a scalar: quoted ones are text, and so is what kubectl reads as text."""
        text: str = node.value
        if node.style or node.tag == _STRING:
            return _word(text) if not node.style and text in _TRUE | _FALSE else text
        kind = node.tag.rpartition(":")[2]
        if kind == "bool":
            return _word(text) if text in _TRUE | _FALSE else _PLAIN_BOOLEANS.get(text, text)
        if kind == "null":
            return None
        if kind in ("int", "float") and ":" not in text:
            made: Json = yaml.safe_load(text)
            return made
        return text

    def _remark(self, node: Any, path: str, message: str, severity: Severity) -> None:
        mark = node.start_mark
        place = Place(mark.line + 1, mark.column + 1)
        self.remarks.append(Remark(place, path, message, severity))


def _word(text: str) -> bool:
    return text in _TRUE
