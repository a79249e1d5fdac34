"""Files of manifests as kubectl reads them, with the place of every field.

YAML of version 1.1 and JSON, several documents in a file, and lists of objects (`kind: List`).
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from waypost.cli.lint import scalars
from waypost.cli.lint.reading import Loader, Place, Reader, Remark, Unreadable, key_text
from waypost.cli.lint.yaml_parts import node_of, parts
from waypost.protocol.ijson import Json

__all__ = ["Document", "Place", "Remark", "Unreadable", "documents"]

_STEP: Final = re.compile(r'\["(?:[^"\\]|\\.)*"\]|\[(\d+)\]|\.?([^.\[\]]+)')
_SPACE: Final = re.compile(r"\s*(?=\S)")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_LIST: Final = "List"


@dataclass
class Document:
    """One object: its value, and where its fields are."""

    value: Json
    node: Any
    remarks: list[Remark] = field(default_factory=list)
    lines: int = 0  # of the file, before the text of `node`

    def place_of(self, path: str) -> Place:
        """Where a field such as `spec.nodes.draft.inputs.x` is; as much of it as there is.
        Items of lists are named by index or, where they have one, by `name`."""
        node, mark = self.node, self.node.start_mark
        at = 0
        while (step := _STEP.match(path, at)) is not None:
            found = _below(node, path, at, step)
            if found is None:
                break
            key, node, at = found
            mark = key.start_mark
        return Place(mark.line + 1 + self.lines, mark.column + 1)


def documents(text: str) -> Iterator[Document]:
    """The objects of a text; empty documents are left out, the items of lists are objects.

    Raises Unreadable.
    """
    for document in _json(text) or _yaml(text):
        yield from _items(document)


def _yaml(text: str) -> Iterator[Document]:
    for part in parts(text):
        node = node_of(part)
        if node is not None and not _is_empty(node):
            reader = Reader(part.text, part.lines)
            value = reader.value(node)
            yield Document(value, node, reader.remarks, part.lines)


def _json(text: str) -> list[Document]:
    """The documents of a text that is JSON; none for any other text."""
    if not text.lstrip().startswith("{"):
        return []
    decoder = json.JSONDecoder(
        parse_int=_number, parse_float=_number, parse_constant=_refuse_constant
    )
    found: list[Document] = []
    end = 0
    try:
        while begin := _SPACE.match(text, end):
            value, end = decoder.raw_decode(text, begin.end())
            node = _json_node(text, begin.end(), end)
            found.append(Document(_with_text(value), node, _remarks(node)))
    except (ValueError, RecursionError, yaml.YAMLError):
        return []
    return found


def _json_node(text: str, begin: int, end: int) -> Any:
    """The nodes of the JSON value in `text[begin:end]`, with their places in the whole text.

    YAML's parser reads JSON except for tabs, which JSON has only between its tokens, for escaped
    surrogates, and for keys longer than 1024 characters. With such a key only the place of the
    whole value is known.
    """
    line = text.count("\n", 0, begin)
    column = begin - (text.rfind("\n", 0, begin) + 1)
    padding = "\n" * line + " " * column
    readable = _SURROGATE.sub(r"\\u003f", text[begin:end].replace("\t", " "))
    try:
        return yaml.compose(padding + readable, Loader=Loader)
    except yaml.YAMLError:
        return yaml.compose(padding + "{}", Loader=Loader)


def _with_text(value: Json) -> Json:
    """`value` with the character that Go puts in place of half a surrogate pair."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_with_text(item) for item in value]
    if isinstance(value, dict):
        return {str(_with_text(key)): _with_text(item) for key, item in value.items()}
    return value


def _refuse_constant(text: str) -> Json:
    raise ValueError(f"{text} is not JSON")


def _number(text: str) -> Json:
    number = float(text) if re.search(r"[.eE]", text) else int(text)
    if number in (math.inf, -math.inf):
        raise Unreadable(f"1:1: kubectl cannot read this: the number {text} is too large")
    return scalars.json_number(number)


def _remarks(node: Any) -> list[Remark]:
    """The errors of a JSON document. Its numbers are never meant as text."""
    reader = Reader()
    reader.value(node)
    return [remark for remark in reader.remarks if remark.severity == "error"]


def _items(document: Document) -> Iterator[Document]:
    """The objects of a list, each with its own remarks; any other object as it is."""
    value = document.value
    if not isinstance(value, dict):
        place = document.place_of("")
        shown = " ".join(str(value).split())[:60]
        found = f"expected an object, found {shown!r}; separate objects by ---"
        text = f"kubectl cannot read this: {found}"
        raise Unreadable(f"{place.line}:{place.column}: {text}")
    kind = str(value.get("kind", ""))
    if not kind.endswith(_LIST) or "items" not in value:
        yield document
        return
    items = value["items"]
    if not isinstance(items, list):
        return
    nodes = next(inner for key, inner in document.node.value if key_text(key) == "items").value
    for at, (item, node) in enumerate(zip(items, nodes, strict=True)):
        prefix = f"items[{at}]."
        remarks = [
            Remark(one.place, one.field.removeprefix(prefix), one.message, one.severity)
            for one in document.remarks
            if one.field.startswith(prefix)
        ]
        typed = _typed(item, kind.removesuffix(_LIST), value.get("apiVersion"))
        yield from _items(Document(typed, node, remarks, document.lines))


def _typed(item: Json, kind: str, version: Json) -> Json:
    """An item with the kind of its list, if it has none."""
    if kind and isinstance(item, dict) and not item.get("kind"):
        return {**item, "apiVersion": version, "kind": kind}
    return item


def _is_empty(node: Any) -> bool:
    return (
        isinstance(node, yaml.ScalarNode)
        and node.tag == scalars.PLAIN
        and node.value in ("", "null", "~")
    )


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
        written = key_text(key)
        if written is None:
            continue
        if step.group() == f'["{written}"]':
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
