"""The documents of a YAML file as kubectl divides it, each as the nodes of its parser.

kubectl divides the text at the lines that begin with `---` before any parser sees it. So it
knows no directives, and nothing but a comment may follow on such a line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from waypost.cli.lint import not_yaml, scalars
from waypost.cli.lint.reading import Loader, PlainLoader, Unreadable

_SEPARATOR: Final = "---"
_BYTE_ORDER_MARK: Final = "\ufeff"
_IS_TEXT: Final = re.compile(r"(?:&\S+\s+)?!(?:<!>)?\s")  # the tag `!`, perhaps after an anchor


@dataclass(frozen=True)
class Part:
    """One document: its text, and how many lines of the file are before it."""

    text: str
    lines: int


def parts(text: str) -> Iterator[Part]:
    """The documents of `text`, empty ones too. Raises Unreadable for a separator with a value."""
    lines = 0
    kept: list[str] = []
    for at, line in enumerate(text.split("\n")):
        if not line.startswith(_SEPARATOR):
            kept.append(line)
            continue
        rest = line.removeprefix(_SEPARATOR).strip()
        if rest and not rest.startswith("#"):
            message = f"kubectl cannot read this: only a comment may follow ---, found {rest[:60]}"
            raise Unreadable(f"{at + 1}:1: {message}")
        yield _part([*kept, ""], lines)
        kept, lines = [], at + 1
    yield _part(kept, lines)


def _part(kept: list[str], lines: int) -> Part:
    return Part("\n".join(kept).removeprefix(_BYTE_ORDER_MARK), lines)


def node_of(part: Part) -> Any:
    """The root node of a document; None if it is empty. Raises Unreadable."""
    try:
        node = _composed(part.text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"{mark.line + 1 + part.lines}:{mark.column + 1}: " if mark else ""
        said = str(error.problem or error.context)
        advice = not_yaml.advice(part.text, mark.line if mark else 0, said)
        raise Unreadable(f"{at}not YAML: {said}{advice}") from error
    except (yaml.YAMLError, RecursionError) as error:
        at = f"{part.lines + 1}:1: "
        raise Unreadable(f"{at}not YAML: {' '.join(str(error).split())[:200]}") from error
    _mark_texts(node, part.text)
    return node


def _composed(text: str) -> Any:
    try:
        return yaml.compose(text, Loader=Loader)
    except yaml.composer.ComposerError as error:
        if "second occurrence" not in str(error) and "duplicate anchor" not in str(error):
            raise
        return yaml.compose(text, Loader=PlainLoader)


def _mark_texts(root: Any, text: str) -> None:
    """Give scalars with the tag `!` the tag of texts, as YAML says; PyYAML ignores it. The merge
    key `<<` stays one."""
    seen: set[int] = set()
    left = [root] if root is not None and "!" in text else []
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            left += (part for entry in node.value for part in entry)
        elif isinstance(node, yaml.SequenceNode):
            left += node.value
        elif node.value != scalars.MERGE and _IS_TEXT.match(text, node.start_mark.index):
            node.tag = scalars.STRING
