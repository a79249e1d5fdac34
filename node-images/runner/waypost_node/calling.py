"""User code: read the source, check its signature, call run, make its result JSON."""

import _ast
import sys
from _frozen_importlib import ModuleSpec
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from waypost.protocol.ijson import MAX_DEPTH, Json

MODULE = "node"


class BadSignature(Exception):
    """run cannot be called with the node's inputs."""


class NoRun(Exception):
    """The source defines no function run."""


class _Source:
    """A loader that knows the source: tracebacks, warnings and inspect show its lines."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_source(self, _name: str) -> str:
        return self._text


def parse(source: str, *, filename: str) -> _ast.Module:
    """The syntax tree of a source. Raises SyntaxError."""
    # What ast.parse does, without the import of ast.
    tree = compile(source, filename, "exec", _ast.PyCF_ONLY_AST)
    assert isinstance(tree, _ast.Module)
    return tree


def check_signature(tree: _ast.Module, inputs: Mapping[str, Json]) -> None:
    """Raise BadSignature, naming the parameter, before any user code has run.

    Judges a plain `def run`; of a decorated or assigned one only the call itself can tell.
    """
    run = _definition(tree)
    if run is None:
        return
    takes = run.args
    if takes.posonlyargs:
        name = takes.posonlyargs[0].arg
        raise BadSignature(f"run takes {name!r} by position only, but inputs are given by name")
    names = [each.arg for each in takes.args + takes.kwonlyargs]
    unexpected = sorted(set(inputs) - set(names))
    if unexpected and takes.kwarg is None:
        raise BadSignature(f"run has no parameter {_listed(unexpected)}, which inputs gives")
    required = [each.arg for each in takes.args[: len(takes.args) - len(takes.defaults)]]
    by_name = zip(takes.kwonlyargs, takes.kw_defaults, strict=True)
    required += [each.arg for each, default in by_name if default is None]
    missing = [name for name in required if name not in inputs]
    if missing:
        raise BadSignature(f"run needs {_listed(missing)}, which inputs does not give")


def _definition(tree: _ast.Module) -> _ast.FunctionDef | _ast.AsyncFunctionDef | None:
    """The definition of run at the end of the source, if it is a plain one."""
    found = None
    for statement in tree.body:
        if isinstance(statement, _ast.FunctionDef | _ast.AsyncFunctionDef):
            if statement.name == "run":
                found = None if statement.decorator_list else statement
        elif isinstance(statement, _ast.Assign):
            targets = [each.id for each in statement.targets if isinstance(each, _ast.Name)]
            found = None if "run" in targets else found
    return found


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:8]))


def load(tree: _ast.Module, source: str, *, filename: str) -> Callable[..., Any]:
    """The function `run` of a node's source. Raises what the source raises, or NoRun."""
    module = ModuleType(MODULE)
    module.__file__ = filename
    loader: Any = _Source(source)
    module.__loader__ = loader
    module.__spec__ = ModuleSpec(MODULE, loader, origin=filename)
    # Dataclasses, pickling and typing look their module up by name.
    sys.modules[MODULE] = module
    exec(compile(tree, filename, "exec"), module.__dict__)
    run = getattr(module, "run", None)
    if not callable(run):
        raise NoRun("the source defines no function run")
    return run  # type: ignore[no-any-return]


def call(run: Callable[..., Any], inputs: Mapping[str, Json]) -> Any:
    """The value of run(**inputs); a coroutine is awaited."""
    result = run(**inputs)
    if hasattr(result, "__await__"):
        import asyncio

        async def awaited() -> Any:
            return await result

        return asyncio.run(awaited())
    return result


def jsonable(value: Any, *, depth: int = 0) -> Any:
    """The value with pydantic models, dataclasses and tuples turned into JSON types. What has no
    JSON form is left as it is, for the check that follows to name with its path."""
    deeper = depth + 1
    if depth > MAX_DEPTH or isinstance(value, type):
        return value
    if isinstance(value, dict):
        return {key: jsonable(item, depth=deeper) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item, depth=deeper) for item in value]
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "__dataclass_fields__"):
        names = value.__dataclass_fields__
        return {name: jsonable(getattr(value, name), depth=deeper) for name in names}
    return value
