"""Every call of a tool passes here: traced, and whatever it raises becomes an answer."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pydantic_core
from pydantic_ai import RunContext
from pydantic_ai.exceptions import ModelRetry, ToolFailed
from pydantic_ai.toolsets import ToolsetTool, WrapperToolset
from waypost_node import calling

from waypost_agent.calls import Calls
from waypost_agent.failures import one_line
from waypost_agent.meter import cut

_SHOWN = 2000  # characters of an error that the model is told


@dataclass
class Watched(WrapperToolset[None]):
    """A toolset whose failures the model is told, so that it can go on in another way."""

    calls: Calls

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Any:
        """The result of the tool. Raises ToolFailed or ModelRetry, which the loop tells."""
        call_id = ctx.tool_call_id or ""
        self.calls.begun(call_id)
        try:
            result = _telling(await self.wrapped.call_tool(name, tool_args, ctx, tool))
        except (ModelRetry, ToolFailed) as error:
            self.calls.done(call_id, "error", one_line(error.message))
            raise
        except asyncio.CancelledError:
            self.calls.done(call_id, "error", "cut short: the attempt was ended")
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit too: a tool ends no attempt
            told = one_line(f"{type(error).__name__}: {_text(error)}")
            self.calls.done(call_id, "error", told)
            raise ToolFailed(cut(told, _SHOWN)) from None
        self.calls.done(call_id, "ok")
        return result


def _telling(result: Any) -> Any:
    """The result, if it can be told to a model."""
    value = calling.jsonable(result)
    try:
        pydantic_core.to_json(value)
    except (pydantic_core.PydanticSerializationError, ValueError):
        raise TypeError(f"the tool returned a {type(result).__name__}, which is not JSON") from None
    return value


def _text(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called exit({error.code!r}); return the result instead"
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot say what it is
        return "(its text cannot be read)"
