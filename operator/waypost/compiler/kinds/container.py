"""Kind `container`, for the compiler."""

from collections.abc import Iterator
from typing import Final

from waypost.api.kinds.container import ContainerKind
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.kinds.kind import CompilerKind, Fields, env_fields
from waypost.compiler.problems import Problem


def _work(node: Node) -> ContainerKind:
    assert node.container is not None, "called for container nodes only"
    return node.container


def _evaluated(node: Node) -> Fields:
    for index, argument in enumerate(_work(node).args or []):
        yield f"container.args[{index}]", argument
    yield from env_fields("container", _work(node).env)


def _variables_are_distinct(spec: AgentWorkflowSpec, node: Node) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for key in node.inputs or {}:
        other = seen.setdefault(key.upper(), key)
        if other != key:
            text = f"becomes WAYPOST_INPUT_{key.upper()}, as {other} does; rename one of them"
            yield Problem(f"{node.place}.inputs.{key}", text)


KIND: Final = CompilerKind(
    "container",
    evaluated_fields=_evaluated,
    program_texts=("container.command",),
    problems=_variables_are_distinct,
    has_exit_codes=True,
)
