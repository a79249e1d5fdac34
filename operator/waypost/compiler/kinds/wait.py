"""Kind `wait`, for the compiler."""

from collections.abc import Iterator
from typing import Final

from waypost.api.base import parse_duration
from waypost.api.kinds.wait import WaitKind
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.kinds.kind import CompilerKind, Fields
from waypost.compiler.problems import Problem
from waypost.compiler.types.schemas import TEXT, Linked, closed
from waypost.expressions.templates import problems_in, sources_in
from waypost.kube.timestamps import parse_timestamp
from waypost.protocol.ijson import Json


def _work(node: Node) -> WaitKind:
    assert node.wait is not None, "called for wait nodes only"
    return node.wait


def _evaluated(node: Node) -> Fields:
    if _work(node).duration is not None:
        yield "wait.duration", _work(node).duration
    if _work(node).until is not None:
        yield "wait.until", _work(node).until


def _problems(spec: AgentWorkflowSpec, node: Node) -> Iterator[Problem]:
    if (_work(node).duration is None) == (_work(node).until is None):
        yield Problem(f"{node.place}.wait", "expected exactly one of duration, until")
    until, duration = _work(node).until, _work(node).duration
    computed = until is None or problems_in(until) or any(sources_in(until))
    if not computed and parse_timestamp(until) is None:
        text = f"expected a time like 2026-11-24T03:10:00Z with its offset, found {until!r}"
        yield Problem(f"{node.place}.wait.until", text)
    if duration is None or problems_in(duration) or any(sources_in(duration)):
        return
    try:
        parse_duration(duration)
    except ValueError as error:
        yield Problem(f"{node.place}.wait.duration", str(error))


def _output(node: Node, once: Linked) -> Json:
    return closed({"until": TEXT})


KIND: Final = CompilerKind(
    "wait", evaluated_fields=_evaluated, problems=_problems, output_type=_output
)
