"""Every call of a tool passes here: replayed or made, traced, and whatever it raises becomes an
answer to the model."""

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ModelRetry, ToolFailed
from pydantic_ai.messages import BinaryContent
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool, WrapperToolset
from waypost.protocol.agents.gated_calls import DecidedCall
from waypost.protocol.text import shorten

from waypost_agent import gate as gates
from waypost_agent.agent_request import MAX_RESULT_BYTES, AgentRequest
from waypost_agent.calls import Calls
from waypost_agent.failures import CallNotMade, OutcomeUnknown, Stopped, one_line
from waypost_agent.gate import Gate
from waypost_agent.journal.entries import Result
from waypost_agent.tools import result_pages, tool_results
from waypost_agent.tools.result_pages import ResultPages
from waypost_agent.tools.tool_results import Content

_SHOWN: Final = 2000  # characters of an exception that the model is shown
_ERROR: Final = 8000  # characters of an error that a tool reports
_UNKNOWN: Final = (
    "it is not known whether the call was carried out: {0}. Find out before you call it again"
)


@dataclass
class ToolWrapper(WrapperToolset[None]):
    """A toolset whose failures the model is shown, so that it can go on in another way.

    `declared`: effects by tool as the workflow declares them; `limits`: bytes of a result by tool;
    `inputs`: what the model takes besides text; `gemini`: all models are Google's; `gate`: which
    calls people decide on.
    """

    calls: Calls
    pages: ResultPages
    declared: Mapping[str, str]
    limits: Mapping[str, int]
    inputs: frozenset[str]
    gemini: bool
    gate: Gate

    @staticmethod
    def factory(
        work: AgentRequest,
        calls: Calls,
        declared: Mapping[str, str],
        pages: ResultPages,
        gate: Gate,
    ) -> "Callable[[AbstractToolset[None]], ToolWrapper]":
        """A function that wraps the toolsets of a node."""
        limits: dict[str, int] = {}
        for server in work.servers:
            limits |= dict.fromkeys(server.allow, server.max_result_bytes)
        for python in work.modules:
            limits |= dict.fromkeys(python.functions, python.max_result_bytes)
        # A page and where to read on: never cut again.
        limits[result_pages.NAME] = 2 * MAX_RESULT_BYTES
        inputs = work.inputs
        gemini = all(model.type == "Google" for model in work.models)
        return lambda toolset: ToolWrapper(
            toolset, calls, pages, declared, limits, inputs, gemini, gate
        )

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Any:
        """The result of the tool. Raises ToolFailed or ModelRetry, which the loop shows the model,
        and Stopped."""
        call_id = ctx.tool_call_id or ""
        decision: DecidedCall | None = None
        if self.gate.holds(name) and not self.calls.has_ended(call_id):
            found = self.gate.decision(call_id, name, tool.tool_def)
            if found is None:
                self.calls.waits(call_id)
                return gates.WAITS
            if isinstance(found, Result) or found.verdict == "Denied":
                raise ToolFailed(await self._refused(call_id, found))
            decision = found
            self.calls.decided(call_id, decision)
        result = await self.calls.replayed(call_id)
        if result is None:
            result = await self._ended(name, tool_args, ctx, tool, decision=decision)
        elif result.cut:
            self.pages.expect()
        if result.outcome == "retry":
            raise ModelRetry(result.message)
        if result.outcome != "ok":
            raise ToolFailed(result.message)
        return self._for_model(call_id, name, result)

    async def _ended(
        self,
        name: str,
        tool_args: dict[str, Any],
        ctx: RunContext[None],
        tool: ToolsetTool[None],
        *,
        decision: DecidedCall | None,
    ) -> Result:
        """The result of a call that is made now, kept in the journal. `decision`: that of the
        person who approved it."""
        call_id = ctx.tool_call_id or ""
        try:
            if decision is not None and decision.arguments is not None:
                result = await self._made_as_edited(name, ctx, tool, decision)
            else:
                result = await self._made(name, tool_args, ctx, tool)
        except asyncio.CancelledError:
            self.calls.cut_short(call_id)
            raise
        except CallNotMade as error:
            await self.calls.not_made(call_id, error.message)
            raise
        except OutcomeUnknown as error:
            text = _UNKNOWN.format(one_line(str(error)))
            if self.declared.get(name) == "once":
                # The workflow says that it must not happen twice: a person finds out, no model.
                raise self.calls.unknown(call_id, text) from None
            result = Result("failed", message=shorten(text, _SHOWN))
        await self.calls.done(call_id, result)
        return result

    async def _refused(self, call_id: str, found: DecidedCall | Result) -> str:
        """Keep that a call is not made; why, for the model."""
        if isinstance(found, DecidedCall):
            self.calls.decided(call_id, found)
            found = gates.denial(found)
        await self.calls.refused(call_id, found)
        return found.message

    async def _made_as_edited(
        self, name: str, ctx: RunContext[None], tool: ToolsetTool[None], decision: DecidedCall
    ) -> Result:
        try:
            arguments = gates.fitted(tool, decision.arguments or {})
        except ValueError as error:
            return Result("failed", message=f"the call was not made: {error}")
        return gates.edited(await self._made(name, arguments, ctx, tool), decision)

    async def _made(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Result:
        try:
            raw = await self.wrapped.call_tool(name, tool_args, ctx, tool)
            content = raw if isinstance(raw, Content) else tool_results.from_python(raw)
            return self._result(content, name, call_id=ctx.tool_call_id or "")
        except ModelRetry as error:
            return Result("retry", message=error.message)
        except ToolFailed as error:
            return Result("failed", message=shorten(error.message, _ERROR))
        except (asyncio.CancelledError, Stopped, OutcomeUnknown):
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit too: a tool ends no attempt
            message = one_line(f"{type(error).__name__}: {_text(error)}")
            return Result("failed", message=shorten(message, _SHOWN))

    def _result(self, content: Content, name: str, *, call_id: str) -> Result:
        """The result as it is kept and shown: bounded, and in forms that the model takes."""
        limit = self._limit(name)
        shown = tool_results.shown(content, inputs=self.inputs, limit=limit, gemini=self.gemini)
        shown = self.pages.bounded(shown, call_id=call_id, limit=limit, keep=True)
        return Result("ok", shown.value, media=shown.media, cut=shown.cut)

    def _for_model(self, call_id: str, name: str, result: Result) -> Any:
        content = Content(result.value, result.media)
        if not result.cut:
            # Earlier releases kept results of any size; a smaller limit holds for them as well.
            limit = self._limit(name)
            content = self.pages.bounded(content, call_id=call_id, limit=limit, keep=False)
        if not content.media:
            return content.value
        files = [
            BinaryContent(base64.b64decode(each.data), media_type=each.type)
            for each in content.media
        ]
        return [content.value, *files] if content.value != "" else files

    def _limit(self, name: str) -> int:
        return self.limits.get(name, MAX_RESULT_BYTES)


def _text(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called exit({error.code!r}); return the result instead"
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot say what it is
        return "(its text cannot be read)"
