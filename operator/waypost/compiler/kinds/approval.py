"""Kind `approval`, for the compiler."""

from collections.abc import Iterator
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.kinds.approval import ApprovalKind
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.kinds.kind import CompilerKind, Fields
from waypost.compiler.problems import Problem
from waypost.compiler.rules.nodes import escalation
from waypost.compiler.rules.nodes.artifacts import from_problems
from waypost.compiler.types.schemas import TEXT, Linked, Unknown, closed
from waypost.protocol.ijson import Json


def _work(node: Node) -> ApprovalKind:
    assert node.approval is not None, "called for approval nodes only"
    return node.approval


def _evaluated(node: Node) -> Fields:
    yield "approval.message", _work(node).message
    yield "approval.context", _work(node).context or {}
    for at, shown in enumerate(_work(node).attachments or ()):
        yield f"approval.attachments[{at}].from", shown.from_


def _problems(spec: AgentWorkflowSpec, node: Node) -> Iterator[Problem]:
    for at, shown in enumerate(_work(node).attachments or ()):
        yield from from_problems(f"{node.place}.approval.attachments[{at}].from", shown.from_)
    yield from escalation.problems(node, _work(node))


def _durations(node: Node) -> Iterator[tuple[str, str | None]]:
    yield "approval.timeout", _work(node).timeout
    yield from escalation.durations(_work(node))


def _fingerprinted(work: JsonObject) -> JsonObject:
    """As of the node itself, a timeout determines only how long people have."""
    levels = [
        {key: value for key, value in level.items() if key != "timeout"}
        for level in work.get("escalation") or ()
    ]
    return {**work, "escalation": levels} if levels else work


def _output(node: Node, once: Linked) -> Json:
    gate = _work(node)
    both = gate.on_denied == "Continue"
    properties: dict[str, Json] = {
        "decision": {"enum": ["Approved", "Denied"] if both else ["Approved"]},
        "expired": {"type": "boolean"},
        **dict.fromkeys(("reason", "decidedBy", "decidedAt"), TEXT),
    }
    required = ["decision", "expired"]
    answer = gate.answer_schema
    properties["answer"] = Unknown() if answer is None else once.of(answer)
    if answer is not None and not both:
        required.append("answer")
    return closed(properties, required)


KIND: Final = CompilerKind(
    "approval",
    evaluated_fields=_evaluated,
    schema_fields=("answer_schema",),
    durations=_durations,
    problems=_problems,
    fingerprinted_work=_fingerprinted,
    output_type=_output,
)
