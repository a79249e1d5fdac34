"""Whether the Python code in a spec parses, defines the function and accepts the inputs."""

import ast
from collections.abc import Iterator
from keyword import iskeyword
from typing import Final

from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.problems import Problem, did_you_mean

MAX_MODULES_BYTES: Final = 256 * 1024
ENTRY: Final = "run"
_OURS: Final = ("waypost_node", "waypost_agent")


def modules(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report modules of spec.modules that cannot be imported, and modules that are too large."""
    sources = spec.modules or {}
    size = sum(len(source.encode()) for source in sources.values())
    if size > MAX_MODULES_BYTES:
        text = f"{size} bytes in total, the limit is {MAX_MODULES_BYTES}; build an image with them"
        yield Problem("modules", text)
    for name, source in sources.items():
        place = f"modules.{name}"
        if iskeyword(name) or not name.isidentifier():
            yield Problem(place, f"{name!r} is not a valid module name; choose another")
        elif name in _OURS:
            yield Problem(place, f"{name} is the runner's own package; choose another name")
        parsed = _parsed(place, source)
        if isinstance(parsed, Problem):
            yield parsed


def _parsed(place: str, source: str) -> ast.Module | Problem:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" (line {error.lineno})" if isinstance(error, SyntaxError) else ""
        return Problem(place, f"is not Python: {getattr(error, 'msg', error)}{line}")


def signature(node: Node, place: str, source: str, function: str) -> Iterator[Problem]:
    """Report why `function` in `source` does not accept the inputs of `node` as keyword arguments.

    Args:
        node: The node that calls the function.
        place: The field with the code or its name, for the problems.
        source: The Python code.
        function: The name of the function.
    """
    parsed = _parsed(place, source)
    if isinstance(parsed, Problem):
        if function == ENTRY:
            yield parsed  # a problem of a module is reported at the module
        return
    defined = [i for i in parsed.body if isinstance(i, ast.FunctionDef | ast.AsyncFunctionDef)]
    matches = [item for item in defined if item.name == function]
    if not matches:
        if function != ENTRY and not _is_closed(parsed):
            return  # it may be imported or assigned
        hint = did_you_mean(function, names := [item.name for item in defined])
        if not hint and len(names) == 1:
            hint = f"; rename {names[0]} to {function}"
        text = f"defines no function {function}; add def {function}(...): with the node's inputs"
        yield Problem(place, f"{text}{hint}")
        return
    yield from _arguments(node, place, matches[-1])


def _is_closed(module: ast.Module) -> bool:
    """Whether all names of a module come from its def and class statements."""
    closed = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Expr
    return all(isinstance(item, closed) for item in module.body)


def _arguments(
    node: Node, place: str, function: ast.FunctionDef | ast.AsyncFunctionDef
) -> Iterator[Problem]:
    name, arguments = function.name, function.args
    named = [a.arg for a in (*arguments.args, *arguments.kwonlyargs)]
    inputs = list(node.inputs or {})
    if not arguments.kwarg:
        for key in inputs:
            if key not in named:
                hint = did_you_mean(key, named)
                text = (
                    f"{name} has no parameter {key!r}, which inputs contains; add it or **kw{hint}"
                )
                yield Problem(place, text)
    optional = len(arguments.defaults)
    required = [a.arg for a in arguments.args[: len(arguments.args) - optional]]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    required += [a.arg for a, default in pairs if default is None]
    for key in required:
        if key not in inputs and key not in _schema_defaults(node):
            yield Problem(place, f"{name} requires {key!r}, missing in inputs; add it there")
    if arguments.posonlyargs:
        yield Problem(place, f"{name} is called by keyword; remove the / from its parameters")


def _schema_defaults(node: Node) -> set[str]:
    properties = (node.input_schema or {}).get("properties")
    if not isinstance(properties, dict):
        return set()
    return {k for k, v in properties.items() if isinstance(v, dict) and "default" in v}
