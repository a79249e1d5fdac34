"""Paths: the node that an attempt, an Approval or a record belongs to.

A path names a node (`scan`), an item or iteration of it (`scan/3`), its compensation
(`charge/compensate`), or an item of that (`scan/compensate/0`). Labels, annotations, records and
status contain paths as text.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_NODE: Final = re.compile(r"[a-z][a-z0-9_]*")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_COMPENSATE: Final = "compensate"
_LONGEST: Final = 128  # characters, as of the paths in a status


@dataclass(frozen=True)
class NodePath:
    """A parsed path; `str()` gives its text.

    Attributes:
        node: Name of the node.
        index: Number of the item or iteration, from 0; None for a whole node or compensation.
        compensates: Whether it is the compensation of the node.
    """

    node: str
    index: int | None = None
    compensates: bool = False

    def __str__(self) -> str:
        return self.entry if self.index is None else f"{self.entry}/{self.index}"

    @property
    def entry(self) -> str:
        """The path of the entry in the status: that of the node or of the compensation."""
        return f"{self.node}/{_COMPENSATE}" if self.compensates else self.node

    @property
    def is_node(self) -> bool:
        """Whether the path is a node and not a part of one."""
        return self.index is None and not self.compensates


def parse_path(text: str) -> NodePath:
    """Parse a path; the inverse of `str()`.

    Raises:
        ValueError: `text` is not a path.
    """
    # A pass asks for the paths of all pods of a run; longer texts are not remembered.
    return _remembered(text) if len(text) <= _LONGEST else _parsed(text)


def _parsed(text: str) -> NodePath:
    node, separator, part = text.partition("/")
    if not _NODE.fullmatch(node):
        raise ValueError(f"path {text!r}: expected the name of a node, found {node!r}")
    if not separator:
        return NodePath(node)
    if part == _COMPENSATE:
        return NodePath(node, compensates=True)
    compensates = part.startswith(f"{_COMPENSATE}/")
    number = part.removeprefix(f"{_COMPENSATE}/")
    if not _INDEX.fullmatch(number):
        raise ValueError(f"path {text!r}: expected a number or {_COMPENSATE!r}, found {part!r}")
    return NodePath(node, index=int(number), compensates=compensates)


_remembered: Final = lru_cache(maxsize=8192)(_parsed)


def entry_of(text: str) -> str:
    """The path of the entry in the status to which a path belongs; the text itself if it is not a
    path. Never raises."""
    try:
        return parse_path(text).entry
    except ValueError:
        return text


def node_of(text: str) -> str:
    """The name of the node to which a path belongs; the text itself if it is not a path. Never
    raises."""
    try:
        return parse_path(text).node
    except ValueError:
        return text


def is_item(text: str) -> bool:
    """Whether a text is the path of an item or of an iteration. Never raises."""
    if "/" not in text:
        return False
    try:
        return parse_path(text).index is not None
    except ValueError:
        return False
