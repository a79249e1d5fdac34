"""`forEach` in the compiler: its variables, and the type of the list of outputs."""

from collections.abc import Mapping
from typing import Final

from waypost.api.base import JsonValue
from waypost.api.modifiers.for_each import ForEach
from waypost.api.workflow import CompensationNode, Node
from waypost.compiler.modifiers.modifier import Fields, Modifier, Typing
from waypost.compiler.types.fields import element_of
from waypost.compiler.types.schemas import TEXT, WHOLE, closed
from waypost.protocol.ijson import Json

_FIELD: Final = "forEach.items"
_NULL: Final = {"type": "null"}
_COUNTS: Final = dict.fromkeys(("total", "succeeded", "failed"), WHOLE)
COUNTS: Final = closed(_COUNTS)
_FAILURE: Final = closed({"index": WHOLE, "reason": TEXT, "message": TEXT})
ITEMS: Final = closed({**_COUNTS, "failures": {"type": "array", "items": _FAILURE}})


def _map(node: Node) -> ForEach:
    assert node.for_each is not None, "called for nodes with forEach"
    return node.for_each


def _evaluated(node: Node) -> Fields:
    if not isinstance(node, CompensationNode):  # its list is that of the node that it undoes
        yield _FIELD, _map(node).items


def _types(node: Node, typing: Typing) -> Mapping[str, Json]:
    return {
        "item": element_of(typing.infer(_map(node).items), None),
        "index": {"type": "integer", "minimum": 0},
    }


def _output(node: Node, one: Json) -> Json:
    """The list of outputs: null where an item failed, which only a node with tolerate allows."""
    if not _map(node).keeps_outputs:
        return COUNTS
    nullable = {"anyOf": [one, _NULL]} if _map(node).tolerates_failures else one
    return {"type": "array", "items": nullable}


def _error(one: Json) -> Mapping[str, Json]:
    return {"items": ITEMS}


def _fingerprinted(node: Node) -> JsonValue:
    # Not the list: a round compares its items (engine.items.identity).
    return {"collect": _map(node).collect or "All"}


MODIFIER: Final = Modifier(
    name="forEach",
    attribute="for_each",
    variables=("item", "index"),
    types=_types,
    kinds=frozenset(("python", "container", "agent", "http", "approval", "workflow")),
    instead={
        "wait": "wait in a node before or after it",
        "event": "call a template with the event node in a workflow node with forEach",
    },
    evaluated_fields=_evaluated,
    own_variables={_FIELD: ()},
    output=_output,
    beside_output={"items": ITEMS},
    error=_error,
    fingerprinted=_fingerprinted,
    compared=frozenset((_FIELD,)),
)
