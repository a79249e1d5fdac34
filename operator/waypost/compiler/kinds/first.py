"""Kind `first`, for the compiler. `rules/candidates` checks its candidates in the graph."""

from collections.abc import Iterator
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.kinds.first import FirstKind
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.kinds.kind import CompilerKind, Fields
from waypost.compiler.problems import Problem

ACCEPT: Final = "first.accept"
_UNUSED: Final = {
    "inputs": "first.accept reads the run with inputs and nodes",
    "input_schema": "it has no inputs",
    "output_schema": "its output is that of the chosen candidate, which has its own outputSchema",
}


def work(node: Node) -> FirstKind:
    """The block of a first node."""
    assert node.first is not None, "called for first nodes only"
    return node.first


def _evaluated(node: Node) -> Fields:
    if work(node).accept is not None:
        yield ACCEPT, work(node).accept


def _candidates(node: Node) -> tuple[str, ...]:
    return tuple(work(node).of)


def _problems(spec: AgentWorkflowSpec, node: Node) -> Iterator[Problem]:
    for attribute, why in _UNUSED.items():
        if getattr(node, attribute) is not None:
            field = Node.model_fields[attribute].alias or attribute
            yield Problem(f"{node.place}.{field}", f"has no effect with first: {why}; remove it")


def _fingerprinted(block: JsonObject) -> JsonObject:
    return {key: value for key, value in block.items() if key != "others"}


KIND: Final = CompilerKind(
    "first",
    evaluated_fields=_evaluated,
    problems=_problems,
    candidates=_candidates,
    variables={ACCEPT: ("candidate",)},
    conditions=frozenset((ACCEPT,)),
    fingerprinted_work=_fingerprinted,
)
