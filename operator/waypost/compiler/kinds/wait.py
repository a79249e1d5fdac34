"""Kind `wait`, for the compiler."""

from collections.abc import Iterator
from typing import Final

from waypost.api.kinds.wait import WaitKind
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.kinds.kind import CompilerKind, Fields
from waypost.compiler.problems import Problem
from waypost.compiler.types.schemas import TEXT, Linked, closed
from waypost.protocol.ijson import Json


def _work(node: Node) -> WaitKind:
    assert node.wait is not None, "called for wait nodes only"
    return node.wait


def _evaluated(node: Node) -> Fields:
    if _work(node).until is not None:
        yield "wait.until", _work(node).until


def _problems(spec: AgentWorkflowSpec, node: Node) -> Iterator[Problem]:
    if (_work(node).duration is None) == (_work(node).until is None):
        yield Problem(f"nodes.{node.name}.wait", "expected exactly one of duration, until")


def _output(node: Node, once: Linked) -> Json:
    return closed({"until": TEXT})


KIND: Final = CompilerKind(
    "wait", evaluated_fields=_evaluated, problems=_problems, output_type=_output
)
