"""Python tools: functions of a module that the workflow carries, or the image has."""

import importlib
from collections.abc import Callable
from typing import Any

from pydantic.errors import PydanticUserError
from pydantic_ai import Tool
from pydantic_ai.exceptions import UserError
from pydantic_ai.toolsets import AbstractToolset, FunctionToolset
from waypost.protocol.reasons import Reason

from waypost_agent.agent_request import PythonTools
from waypost_agent.failures import Stopped, one_line


def load(tools: PythonTools) -> AbstractToolset[None]:
    """The functions as tools, with schemas from their signatures. Raises Stopped."""
    try:
        module = importlib.import_module(tools.module)
    except ModuleNotFoundError as error:
        if not error.name or not f"{tools.module}.".startswith(f"{error.name}."):
            raise _broken(tools, error) from error
        raise Stopped(
            Reason.NODE_ERROR,
            f"agent.tools: neither spec.modules nor the image has a module {tools.module!r}; an "
            "image's own modules belong into a folder on its PYTHONPATH",
        ) from None
    except (Exception, SystemExit) as error:
        raise _broken(tools, error) from error
    return FunctionToolset([_tool(tools.module, module, name) for name in tools.functions])


def _tool(module_name: str, module: Any, name: str) -> Tool[None]:
    function: Callable[..., Any] | None = getattr(module, name, None)
    if not callable(function):
        has = sorted(
            key
            for key, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", None) == module_name
        )
        known = f"; it has {', '.join(has[:12])}" if has else ""
        raise Stopped(
            Reason.NODE_ERROR,
            f"agent.tools: module {module_name!r} has no function {name!r}{known}",
        )
    try:
        return Tool(function, name=name, takes_ctx=False)
    except (UserError, PydanticUserError, NameError, TypeError, ValueError) as error:
        raise Stopped(
            Reason.NODE_ERROR,
            f"agent.tools: {module_name}.{name} makes no tool: {one_line(str(error))}; give its "
            "parameters types that JSON has",
        ) from None


def _broken(tools: PythonTools, error: BaseException) -> Stopped:
    text = f"importing {tools.module!r} failed: {type(error).__name__}: {error}"
    return Stopped(Reason.NODE_ERROR, f"agent.tools: {one_line(text)}")
