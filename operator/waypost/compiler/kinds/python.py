"""Kind `python`, for the compiler."""

from collections.abc import Iterator
from typing import Final

from waypost.api.kinds.python import PythonKind
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.kinds.kind import CompilerKind, Fields, env_fields
from waypost.compiler.problems import Problem
from waypost.compiler.rules.python_code import ENTRY, signature


def _work(node: Node) -> PythonKind:
    assert node.python is not None, "called for python nodes only"
    return node.python


def _evaluated(node: Node) -> Fields:
    yield from env_fields("python", _work(node).env)


def _takes_its_inputs(spec: AgentWorkflowSpec, node: Node) -> Iterator[Problem]:
    """Report inputs that the function does not take (S27); code in an image is not checked."""
    work, modules = _work(node), spec.modules or {}
    if work.source is not None:
        yield from signature(node, f"{node.place}.python.source", work.source, ENTRY)
    elif work.function:
        module, _, function = work.function.partition(":")
        if module in modules:
            place = f"{node.place}.python.function"
            yield from signature(node, place, modules[module], function)


def _code(node: Node) -> str:
    return _work(node).source or _work(node).function or ""


KIND: Final = CompilerKind(
    "python",
    evaluated_fields=_evaluated,
    code_fields=("source",),
    problems=_takes_its_inputs,
    code=_code,
)
