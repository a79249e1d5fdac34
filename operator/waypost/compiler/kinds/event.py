"""Kind `event`, for the compiler."""

from collections.abc import Iterator
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.kinds.event import EventKind
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.kinds.kind import CompilerKind, Fields
from waypost.compiler.problems import Problem
from waypost.compiler.types.schemas import TEXT, Linked, Unknown, closed
from waypost.protocol.ijson import Json


def _work(node: Node) -> EventKind:
    assert node.event is not None, "called for event nodes only"
    return node.event


def _evaluated(node: Node) -> Fields:
    if _work(node).key is not None:
        yield "event.key", _work(node).key


def _durations(node: Node) -> Iterator[tuple[str, str | None]]:
    yield "event.timeout", _work(node).timeout


def _problems(spec: AgentWorkflowSpec, node: Node) -> Iterator[Problem]:
    work = _work(node)
    for name in sorted({name for name in work.names if work.names.count(name) > 1}):
        yield Problem(f"{node.place}.event.names", f"lists {name} twice; keep it once")
    if work.on_timeout is not None and work.timeout is None:
        text = "has no effect without timeout; add timeout, or remove it"
        yield Problem(f"{node.place}.event.onTimeout", text)
    if node.output_schema is not None:
        text = "has no effect with event; write the schema of the payload to event.schema"
        yield Problem(f"{node.place}.outputSchema", text)


def _output(node: Node, once: Linked) -> Json:
    """Without an event, the output has `expired` alone, so the other fields are optional then."""
    work = _work(node)
    payload = Unknown() if work.payload_schema is None else once.of(work.payload_schema)
    properties: dict[str, Json] = {
        "name": {"enum": list(work.names)},
        "payload": payload,
        "receivedAt": TEXT,
        "id": TEXT,
    }
    if work.on_timeout == "Continue":
        return closed({**properties, "expired": {"type": "boolean"}}, ["expired"])
    return closed(properties)


def _fingerprinted(block: JsonObject) -> JsonObject:
    return {key: value for key, value in block.items() if key != "timeout"}


KIND: Final = CompilerKind(
    "event",
    evaluated_fields=_evaluated,
    schema_fields=("payload_schema",),
    durations=_durations,
    problems=_problems,
    output_type=_output,
    fingerprinted_work=_fingerprinted,
)
