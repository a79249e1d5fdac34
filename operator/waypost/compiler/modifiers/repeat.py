"""`repeat` in the compiler: its variables, and what `until` sees."""

from collections.abc import Iterator, Mapping
from typing import Final

from waypost.api.base import JsonValue
from waypost.api.modifiers.repeat import Repeat
from waypost.api.nodes.artifacts import ARTIFACT_SCHEMA
from waypost.api.workflow import Node
from waypost.compiler.modifiers.modifier import Fields, Modifier, Typing
from waypost.compiler.types.schemas import closed
from waypost.protocol.ijson import Json

_FIELD: Final = "repeat.until"


def _loop(node: Node) -> Repeat:
    assert node.repeat is not None, "called for nodes with repeat"
    return node.repeat


def _evaluated(node: Node) -> Fields:
    yield _FIELD, _loop(node).until


def _durations(node: Node) -> Iterator[tuple[str, str | None]]:
    yield "repeat.pause", _loop(node).pause


def _types(node: Node, typing: Typing) -> Mapping[str, Json]:
    made = [one.name for one in (node.artifacts and node.artifacts.out) or ()]
    artifacts = {"artifacts": closed(dict.fromkeys(made, ARTIFACT_SCHEMA))} if made else {}
    return {
        # Not below max: a later round continues to count.
        "index": {"type": "integer", "minimum": 0},
        # Optional: the first iteration has no previous one.
        "previous": closed({"output": typing.one, **artifacts}, []),
    }


def _self(one: Json) -> Json:
    return closed({"output": one})


def _error(one: Json) -> Mapping[str, Json]:
    return {"last": one}


def _fingerprinted(node: Node) -> JsonValue:
    return {"until": _loop(node).until}


MODIFIER: Final = Modifier(
    name="repeat",
    attribute="repeat",
    variables=("index", "previous"),
    types=_types,
    kinds=frozenset(("python", "container", "agent", "http", "workflow")),
    instead={
        "wait": "set repeat.pause on the node that is repeated",
        "event": "list several names in event.names, or call a template with the event node in a "
        "workflow node with repeat",
        "approval": "ask again in another approval node, or rerun with from",
    },
    evaluated_fields=_evaluated,
    own_variables={_FIELD: ("index", "previous")},
    conditions=frozenset((_FIELD,)),
    own_self=_self,
    error=_error,
    durations=_durations,
    fingerprinted=_fingerprinted,
)
