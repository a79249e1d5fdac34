"""User code: load the source, check the signature, call run, make its result JSON."""

import sys
from collections.abc import Callable, Mapping
from types import CodeType, ModuleType
from typing import Any

from waypost.protocol.ijson import Json

MODULE = "node"
_VARKEYWORDS = 0x08
_COROUTINE = 0x80


class BadSignature(Exception):
    """run cannot be called with the node's inputs."""


class NoRun(Exception):
    """The source defines no function run."""


def load(source: str, *, path: str) -> Callable[..., Any]:
    """The function `run` of a node's source. Raises what the source raises, or NoRun."""
    filename = f"{path}.py"
    module = ModuleType(MODULE)
    module.__file__ = filename
    # Dataclasses, pickling and typing look their module up by name.
    sys.modules[MODULE] = module
    exec(compile(source, filename, "exec"), module.__dict__)
    run = getattr(module, "run", None)
    if not callable(run):
        raise NoRun("the source defines no function run")
    return run  # type: ignore[no-any-return]


def check_signature(run: Callable[..., Any], inputs: Mapping[str, Json]) -> None:
    """Raise BadSignature, naming the parameter, before user code runs with the wrong inputs."""
    code = getattr(run, "__code__", None)
    if not isinstance(code, CodeType):
        return  # a decorated callable: the call itself will tell
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    unexpected = sorted(set(inputs) - set(names))
    if unexpected and not code.co_flags & _VARKEYWORDS:
        raise BadSignature(f"run has no parameter {unexpected[0]!r}, which inputs gives")
    defaults = getattr(run, "__defaults__", None) or ()
    optional = set(getattr(run, "__kwdefaults__", None) or {})
    optional |= set(code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount])
    missing = [name for name in names if name not in inputs and name not in optional]
    if missing:
        raise BadSignature(f"run needs {missing[0]!r}, which inputs does not give")


def call(run: Callable[..., Any], inputs: Mapping[str, Json]) -> Any:
    """The value of run(**inputs); a coroutine is awaited."""
    result = run(**inputs)
    if hasattr(result, "__await__"):
        import asyncio

        async def awaited() -> Any:
            return await result

        return asyncio.run(awaited())
    return result


def jsonable(value: Any) -> Any:
    """The value with pydantic models, dataclasses and tuples turned into JSON types. What has no
    JSON form is left as it is, for the check that follows to name with its path."""
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: jsonable(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
