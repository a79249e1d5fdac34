"""Whether the source of a python node defines run, and takes what inputs gives."""

import ast
import warnings
from collections.abc import Iterator

from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.engine.problems import Problem


def signatures(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Python nodes whose function run does not take the inputs it would be given (row 33)."""
    for node in spec.nodes:
        if node.python and node.python.source is not None:
            yield from _signature(node, node.python.source)


def _signature(node: Node, source: str) -> Iterator[Problem]:
    place = f"nodes.{node.name}.python.source"
    try:
        with warnings.catch_warnings():  # about the user's code; the pod's log tells them
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" (line {error.lineno})" if isinstance(error, SyntaxError) else ""
        yield Problem(place, f"is not Python: {getattr(error, 'msg', error)}{line}")
        return
    found = [
        item
        for item in tree.body
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and item.name == "run"
    ]
    if not found:
        yield Problem(place, "defines no function run; add def run(...): with the node's inputs")
        return
    arguments = found[-1].args
    named = [a.arg for a in (*arguments.args, *arguments.kwonlyargs)]
    inputs = list(node.inputs or {})
    if not arguments.kwarg:
        for key in inputs:
            if key not in named:
                text = f"run has no parameter {key!r}, which inputs gives; add it or **kw"
                yield Problem(place, text)
    optional = len(arguments.defaults)
    required = [a.arg for a in arguments.args[: len(arguments.args) - optional]]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    required += [a.arg for a, default in pairs if default is None]
    for name in required:
        if name not in inputs and name not in _schema_defaults(node):
            yield Problem(place, f"run needs {name!r}, which inputs does not give")
    if arguments.posonlyargs:
        yield Problem(place, "run is called by keyword; remove the / from its parameters")


def _schema_defaults(node: Node) -> set[str]:
    properties = (node.input_schema or {}).get("properties")
    if not isinstance(properties, dict):
        return set()
    return {k for k, v in properties.items() if isinstance(v, dict) and "default" in v}
