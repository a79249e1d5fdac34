"""Kind `workflow`, for the compiler."""

from collections.abc import Iterator
from typing import Final

from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.kinds.kind import CompilerKind
from waypost.compiler.problems import Problem


def _problems(spec: AgentWorkflowSpec, node: Node) -> Iterator[Problem]:
    if spec.budget is not None:
        text = (
            f"cannot be used in a run with a workflow node ({node.name}): a child run does not get "
            "a share of it yet. Set budget in the templates of the child runs, and remove it here"
        )
        yield Problem("budget", text)


KIND: Final = CompilerKind("workflow", problems=_problems)
