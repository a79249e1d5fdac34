"""Loads a user's function, checks its signature, calls it, and converts the result to JSON."""

import _ast
import sys
from _frozen_importlib import ModuleSpec
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final, NamedTuple

from waypost.protocol.ijson import MAX_DEPTH, Json

from waypost_node.modules import Source

MODULE: Final = "node"
_SHOWN: Final = 8


class BadSignature(Exception):
    """The function does not accept the node's inputs."""


class NoFunction(Exception):
    """The function does not exist. The message says where it was expected."""


class _Parameters(NamedTuple):
    """The parameters of a function. `rest`: it has **kwargs."""

    position_only: list[str]
    names: list[str]
    required: list[str]
    rest: bool


def parse(source: str, *, filename: str) -> _ast.Module:
    """Parse Python source into a syntax tree.

    Args:
        source: the source text.
        filename: its name in tracebacks.

    Raises:
        SyntaxError: the source is not Python.
    """
    # As ast.parse, without importing ast.
    tree = compile(source, filename, "exec", _ast.PyCF_ONLY_AST)
    assert isinstance(tree, _ast.Module)
    return tree


def check_signature(tree: _ast.Module, inputs: Mapping[str, Json]) -> None:
    """Check that `run` accepts the inputs, before any user code runs.

    Only for a plain `def run`: a decorated or assigned function is checked by the call itself.

    Args:
        tree: the parsed source.
        inputs: the node's inputs by name.

    Raises:
        BadSignature: names the parameter.
    """
    run = _definition(tree)
    if run is None:
        return
    takes = run.args
    names = [each.arg for each in takes.args + takes.kwonlyargs]
    required = [each.arg for each in takes.args[: len(takes.args) - len(takes.defaults)]]
    by_name = zip(takes.kwonlyargs, takes.kw_defaults, strict=True)
    required += [each.arg for each, default in by_name if default is None]
    only = [each.arg for each in takes.posonlyargs]
    _check("run", _Parameters(only, names, required, takes.kwarg is not None), inputs)


def check_function(function: Callable[..., Any], name: str, inputs: Mapping[str, Json]) -> None:
    """Check that a loaded function accepts the inputs.

    Args:
        function: the function.
        name: its name in messages.
        inputs: the node's inputs by name.

    Raises:
        BadSignature: names the parameter.
    """
    import inspect  # slow to import: a tenth of the start of a node

    try:
        # A wrapper may add arguments: check the function that is called, not the wrapped one.
        found = inspect.signature(function, follow_wrapped=False).parameters.values()
    except ValueError:  # built in C, without a signature: checked by the call itself
        return
    named = [p for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    takes = _Parameters(
        position_only=[p.name for p in found if p.kind is p.POSITIONAL_ONLY],
        names=[p.name for p in named],
        required=[p.name for p in named if p.default is p.empty],
        rest=any(p.kind is p.VAR_KEYWORD for p in found),
    )
    _check(name, takes, inputs)


def _check(name: str, takes: _Parameters, inputs: Mapping[str, Json]) -> None:
    if takes.position_only:
        first = takes.position_only[0]
        raise BadSignature(
            f"{name} has the positional-only parameter {first!r}, but inputs are passed by name"
        )
    unexpected = sorted(set(inputs) - set(takes.names))
    if unexpected and not takes.rest:
        raise BadSignature(f"{name} has no parameter {_listed(unexpected)}, which inputs contains")
    missing = [each for each in takes.required if each not in inputs]
    if missing:
        raise BadSignature(f"{name} requires {_listed(missing)}, missing in inputs")


def _definition(tree: _ast.Module) -> _ast.FunctionDef | _ast.AsyncFunctionDef | None:
    """The last definition of run in the source, if it is a plain function."""
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
    return ", ".join(map(repr, names[:_SHOWN]))


def load(tree: _ast.Module, source: str, *, filename: str) -> Callable[..., Any]:
    """Execute a node's source and return its function `run`.

    Args:
        tree: the parsed source.
        source: its text, for tracebacks and inspect.
        filename: its name in tracebacks.

    Raises:
        NoFunction: the source defines no function run.
        BaseException: whatever the source raises.
    """
    module = ModuleType(MODULE)
    module.__file__ = filename
    loader: Any = Source(source, filename=filename)
    module.__loader__ = loader
    module.__spec__ = ModuleSpec(MODULE, loader, origin=filename)
    # Dataclasses, pickling and typing look their module up by name.
    sys.modules[MODULE] = module
    exec(compile(tree, filename, "exec"), module.__dict__)
    run = getattr(module, "run", None)
    if not callable(run):
        raise NoFunction("the source defines no function run")
    return run  # type: ignore[no-any-return]


def find(reference: str) -> Callable[..., Any]:
    """Import the function `module:name`.

    Raises:
        NoFunction: malformed reference, or no such module or function.
        BaseException: whatever importing the module raises.
    """
    import importlib

    module_name, _, name = reference.partition(":")
    if not module_name or not name:
        raise NoFunction(f"python.function: expected module:name, found {reference!r}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # For a module that it imports in turn, the traceback says more.
        if not error.name or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise NoFunction(
            f"python.function: module {error.name!r} is neither in spec.modules nor in the image; "
            "put modules of the image into a folder on its PYTHONPATH"
        ) from None
    function = getattr(module, name, None)
    if not callable(function):
        has = sorted(key for key, value in vars(module).items() if _is_function(value, module_name))
        known = f"; it has {', '.join(has[:_SHOWN])}" if has else ""
        raise NoFunction(f"python.function: module {module_name!r} has no function {name!r}{known}")
    return function  # type: ignore[no-any-return]


def _is_function(value: object, module_name: str) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module_name


def call(run: Callable[..., Any], inputs: Mapping[str, Json]) -> Any:
    """Call a user's function; a coroutine is awaited.

    Args:
        run: the function.
        inputs: its keyword arguments.

    Returns:
        Its value, not converted to JSON yet.

    Raises:
        BaseException: whatever user code raises.
    """
    result = run(**inputs)
    if hasattr(result, "__await__"):
        import asyncio

        async def awaited() -> Any:
            return await result

        return asyncio.run(awaited())
    return result


def jsonable(value: Any, *, depth: int = 0) -> Any:
    """Convert pydantic models, dataclasses and tuples to JSON types.

    Values without a JSON form are left unchanged: the check that follows names their path.

    Args:
        value: the result of user code.
        depth: levels above `value`; conversion ends at ijson.MAX_DEPTH.
    """
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
