"""The modifier of the compensation of a loop: it undoes each iteration, so it is a map, and `index`
is the number of the iteration."""

from collections.abc import Mapping
from typing import Final

from waypost.api.base import JsonValue
from waypost.api.workflow import Node
from waypost.compiler.modifiers.for_each import COUNTS, ITEMS
from waypost.compiler.modifiers.modifier import Modifier, Typing
from waypost.protocol.ijson import Json


def _types(node: Node, typing: Typing) -> Mapping[str, Json]:
    return {"index": {"type": "integer", "minimum": 0}}


def _output(node: Node, one: Json) -> Json:
    return COUNTS


def _error(one: Json) -> Mapping[str, Json]:
    return {"items": ITEMS}


def _fingerprinted(node: Node) -> JsonValue:
    return {}


MODIFIER: Final = Modifier(
    name="forEach",
    attribute="for_each",
    variables=("index",),
    types=_types,
    kinds=frozenset(("python", "container", "http", "workflow")),
    output=_output,
    beside_output={"items": ITEMS},
    error=_error,
    fingerprinted=_fingerprinted,
)
