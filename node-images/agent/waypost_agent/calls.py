"""The tool calls that a model asks for, and what becomes of each: once counted, once traced."""

from collections.abc import Collection, Mapping
from typing import Final, Literal

from pydantic_ai.messages import ToolCallPart
from waypost.protocol.agents.gated_calls import DecidedCall
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten
from waypost.protocol.timestamps import now

from waypost_agent.failures import Stopped, one_line
from waypost_agent.journal.entries import Result
from waypost_agent.journal.journal import UNKNOWN_HINT, Journal
from waypost_agent.limits import Meter
from waypost_agent.tool_content import Fields, ToolContent

Outcome = Literal["ok", "error", "refused"]
_SHOWN: Final = 128  # characters of names and ids: a model may invent any


class Calls:
    """The calls of one attempt. `servers` are the tool servers, and `schemas` those of the results,
    by name of the tool; `content` says what a trace has of arguments and results."""

    def __init__(
        self,
        meter: Meter,
        servers: Mapping[str, str],
        journal: Journal,
        *,
        content: ToolContent,
        schemas: Mapping[str, Json],
    ) -> None:
        self._meter = meter
        self._content = content
        self._schemas = schemas
        self._servers = servers
        self._journal = journal
        self._open: dict[str, tuple[str, str]] = {}  # call id -> name, when it was asked for
        self._shown: dict[str, Fields] = {}  # by call id: what the trace has of its arguments
        self._known: set[str] = set()
        self._decided: dict[str, DecidedCall] = {}  # by call id

    def asked(
        self,
        calls: list[tuple[str, str]],
        *,
        offered: Collection[str],
        replayed: bool = False,
    ) -> None:
        """Take the calls (id, name) of one answer. A tool that is not `offered` is refused here,
        and the loop says so to the model. Raises Stopped when they are more than the limit
        allows."""
        self._meter.tool_calls([name for _, name in calls], replayed=replayed)
        for call_id, name in calls:
            self._known.add(call_id)
            self._open[call_id] = (name, now())
            if name not in offered:
                self._trace(call_id, "refused", "not a tool of this node", replayed=replayed)

    def has_ended(self, call_id: str) -> bool:
        """Whether an earlier attempt was given the result of this call."""
        return self._journal.recorded(call_id) is not None

    def waits(self, call_id: str) -> None:
        """A call waits for a decision: it is of a later attempt."""
        self._open.pop(call_id)

    def decided(self, call_id: str, decision: DecidedCall) -> None:
        """A person has decided on a call, which the trace says."""
        self._decided[call_id] = decision

    def shows(self, part: ToolCallPart, schema: Json) -> None:
        """Note what the trace has of the arguments of a call; `schema` is that of its tool."""
        self._shown[part.tool_call_id] = self._content.arguments(part.args, schema)

    async def refused(self, call_id: str, result: Result) -> None:
        """A call is not made, and the model reads why. Raises Stopped when that cannot be kept."""
        self._journal.began()
        self._trace(call_id, "refused", one_line(result.message) or None)
        await self._journal.done(call_id, result)

    async def replayed(self, call_id: str) -> Result | None:
        """What an earlier attempt was given by this call; None if it is to be made now: its
        arguments fit. Raises Stopped."""
        result = self._journal.recorded(call_id)
        if result is None:
            name, _ = self._open[call_id]
            self._open[call_id] = (name, now())
            await self._journal.begins_again(call_id)
            self._journal.began()
            return None
        self._meter.own.add(replayed_tool_calls=1)
        outcome: Outcome = "ok" if result.outcome == "ok" else "error"
        self._trace(call_id, outcome, result.message or None, replayed=True, result=result)
        return result

    def rejected(self, call_id: str, error: str) -> bool:
        """Note a call whose arguments never reached the tool; False when it is no call of a
        tool, but of the output."""
        if call_id in self._open:
            replayed = self._journal.was_rejected(call_id)
            if not replayed:
                self._journal.rejected(call_id)
            self._trace(call_id, "error", error, replayed=replayed)
        return call_id in self._known

    async def done(self, call_id: str, result: Result) -> None:
        """A call was made and has ended. Raises Stopped when that cannot be kept."""
        outcome: Outcome = "ok" if result.outcome == "ok" else "error"
        self._trace(call_id, outcome, one_line(result.message) or None, result=result)
        await self._journal.done(call_id, result)

    def cut_short(self, call_id: str, error: str = "cut short: the attempt was ended") -> None:
        """A call began, and the attempt ended before it did."""
        self._trace(call_id, "error", error)

    async def not_made(self, call_id: str, error: str) -> None:
        """A call was refused before its tool did anything, and ends the attempt."""
        self._trace(call_id, "error", error)
        await self._journal.not_made(call_id)

    def unknown(self, call_id: str, error: str) -> Stopped:
        """What ends the attempt where a tool of effect once may have been called, or not."""
        name, _ = self._open[call_id]
        self._trace(call_id, "error", error)
        text = f"tool {shorten(name, _SHOWN)} (call {call_id}): {error}; {UNKNOWN_HINT}"
        return Stopped(Reason.UNKNOWN_EFFECT, text)

    def _trace(
        self,
        call_id: str,
        outcome: Outcome,
        error: str | None = None,
        *,
        replayed: bool = False,
        result: Result | None = None,
    ) -> None:
        name, start = self._open.pop(call_id)
        content = self._shown.pop(call_id, {})
        if result is not None:
            content |= self._content.result(result, tool=name, schema=self._schemas.get(name))
        decision = self._decided.get(call_id)
        edited = decision is not None and decision.arguments is not None
        self._meter.add(
            "tool",
            start=start,
            name=shorten(name, _SHOWN),
            callId=shorten(call_id, _SHOWN),
            server=self._servers.get(name),
            outcome=outcome,
            error=error,
            replayed=replayed or None,
            decision=("Edited" if edited else decision.verdict) if decision else None,
            decidedBy=decision.by if decision else None,
            **content,
        )
