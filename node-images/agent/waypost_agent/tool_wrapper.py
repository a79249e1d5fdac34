"""Every call of a tool passes here: replayed or made, traced, and whatever it raises becomes an
answer."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pydantic_core
from pydantic_ai import RunContext
from pydantic_ai.exceptions import ModelRetry, ToolFailed
from pydantic_ai.toolsets import ToolsetTool, WrapperToolset
from waypost.protocol.text import shorten
from waypost_node import user_code

from waypost_agent.calls import Calls
from waypost_agent.failures import one_line
from waypost_agent.journal.entries import Result

_SHOWN = 2000  # characters of an error that the model is told


@dataclass
class ToolWrapper(WrapperToolset[None]):
    """A toolset whose failures the model is told, so that it can go on in another way."""

    calls: Calls

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Any:
        """The result of the tool. Raises ToolFailed or ModelRetry, which the loop tells, and
        Stopped."""
        call_id = ctx.tool_call_id or ""
        result = await self.calls.replayed(call_id)
        if result is None:
            try:
                result = await self._made(name, tool_args, ctx, tool)
            except asyncio.CancelledError:
                self.calls.cut_short(call_id)
                raise
            await self.calls.done(call_id, result)
        if result.outcome == "retry":
            raise ModelRetry(result.message)
        if result.outcome != "ok":
            raise ToolFailed(result.message)
        return result.value

    async def _made(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Result:
        try:
            return Result("ok", _as_json(await self.wrapped.call_tool(name, tool_args, ctx, tool)))
        except ModelRetry as error:
            return Result("retry", message=error.message)
        except ToolFailed as error:
            return Result("failed", message=error.message)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit too: a tool ends no attempt
            message = one_line(f"{type(error).__name__}: {_text(error)}")
            return Result("failed", message=shorten(message, _SHOWN))


def _as_json(result: Any) -> Any:
    """The result as JSON, as it is told to a model and kept."""
    value = user_code.jsonable(result)
    try:
        return pydantic_core.from_json(pydantic_core.to_json(value))
    except (pydantic_core.PydanticSerializationError, ValueError):
        raise TypeError(f"the tool returned a {type(result).__name__}, which is not JSON") from None


def _text(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called exit({error.code!r}); return the result instead"
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot say what it is
        return "(its text cannot be read)"
