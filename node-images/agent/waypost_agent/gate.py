"""Tool calls that are made only after a person approved them.

A call without a decision is not made: the attempt ends once the other calls of the same answer have
ended, and a later attempt is given the decisions. So no pod waits for people.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import ToolsetTool
from waypost.protocol import ijson
from waypost.protocol.agents import gated_calls
from waypost.protocol.agents.gated_calls import DecidedCall, GatedCall
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost.protocol.text import shorten

from waypost_agent.agent_request import AgentRequest
from waypost_agent.failures import Parked, Stopped
from waypost_agent.journal.entries import Result, redacted
from waypost_agent.journal.journal import Journal
from waypost_agent.tools.tool_schemas import definition_digest
from waypost_agent.validation_errors import first_problem

_SHOWN: Final = 2000  # characters of a reason
# What the loop is given for a call that waits: the model is not called before it has ended.
WAITS: Final = "waits for an approval"


class Gate:
    """The gated calls of one attempt. `servers` are the tool servers by name of the tool."""

    def __init__(
        self,
        work: AgentRequest,
        *,
        journal: Journal,
        servers: Mapping[str, str],
        redact: Callable[[str], str],
    ) -> None:
        self._gated = work.gated
        self._decided = {each.digest: each for each in work.decisions}
        self._journal = journal
        self._servers = servers
        self._redact = redact
        self._arguments: dict[str, dict[str, Any]] = {}
        self._waiting: list[GatedCall] = []

    def holds(self, tool: str) -> bool:
        """Whether calls of a tool need an approval."""
        return tool in self._gated

    def asked(self, calls: Iterable[ToolCallPart]) -> None:
        """Note the arguments of the calls of an answer, as the model gave them."""
        self._arguments = {}
        for part in calls if self._gated else ():
            try:
                self._arguments[part.tool_call_id] = part.args_as_dict()
            except ValueError:
                continue  # the loop refuses it

    def decision(
        self, call_id: str, name: str, tool: ToolDefinition
    ) -> DecidedCall | Result | None:
        """What becomes of a call: the decision on it, a result where nobody can decide on it, None
        if it waits. Raises Stopped where no attempt could continue it."""
        if not self._journal.is_kept:
            text = f"tool {name} needs an approval, and without a gateway no attempt can continue"
            raise Stopped(Reason.NODE_ERROR, f"{text}; set gateway.enabled in the chart's values")
        try:
            call = self._call(call_id, name, tool)
        except ValueError as error:
            return Result("failed", message=f"the call was not made: {error}")
        found = self._decided.get(call.digest)
        if found is None:
            self._waiting.append(call)
        return found

    async def park(self) -> None:
        """End the attempt if calls wait. Raises Parked."""
        if not self._waiting:
            return
        chosen: list[GatedCall] = []
        size = 0
        for call in self._waiting[: gated_calls.MAX_CALLS]:
            size += len(ijson.canonical(call.to_json()))
            if chosen and size > gated_calls.MAX_BYTES:
                break
            chosen.append(call)
        await self._journal.flush()
        raise Parked(chosen)

    def _call(self, call_id: str, name: str, tool: ToolDefinition) -> GatedCall:
        """The call as people are shown it. Raises ValueError."""
        arguments: Json = redacted(self._arguments[call_id], self._redact, foreign=True)
        try:
            size = len(ijson.canonical(ijson.check(arguments)))
        except ijson.IJsonError as error:
            raise ValueError(f"its arguments cannot be shown to a person: {error}") from None
        if size > gated_calls.MAX_ARGUMENTS:
            raise ValueError(
                f"its arguments have {size} bytes, and a call that needs an approval can have "
                f"{gated_calls.MAX_ARGUMENTS}; pass less"
            )
        return GatedCall(
            self._journal.turn,
            call_id,
            name,
            self._servers.get(name),
            arguments,
            definition_digest(tool.name, tool.description, tool.parameters_json_schema),
            _small(tool.parameters_json_schema),
        )


def denial(decision: DecidedCall) -> Result:
    """What the model reads of a call that was denied."""
    if decision.expired:
        return Result("failed", message="the call was not made: nobody approved it in time")
    why = f": {shorten(decision.reason, _SHOWN)}" if decision.reason else ""
    return Result("failed", message=f"the call was not made: a person denied it{why}")


def fitted(tool: ToolsetTool[None], arguments: dict[str, Json]) -> dict[str, Any]:
    """The arguments that a person gave, as the tool takes them. Raises ValueError."""
    try:
        taken: dict[str, Any] = tool.args_validator.validate_json(json.dumps(arguments))
    except ValidationError as error:
        text = "a person changed its arguments, and the tool does not take them: "
        raise ValueError(text + first_problem(error)) from None
    return taken


def edited(result: Result, decision: DecidedCall) -> Result:
    """The result of a call whose arguments a person changed, so that the model reads of it."""
    shown = json.dumps(decision.arguments, ensure_ascii=False)
    note = "a person changed the arguments of this call before it was made"
    if result.outcome != "ok":
        text = f"{note} to {shorten(shown, _SHOWN)}: {result.message}"
        return Result(result.outcome, message=text)
    value = {"note": note, "arguments": decision.arguments, "result": result.value}
    return Result("ok", value, media=result.media, cut=result.cut)


def _small(schema: dict[str, Any]) -> Json | None:
    """The schema if it can be shown to people."""
    try:
        size = len(ijson.canonical(ijson.check(schema)))
    except ijson.IJsonError:
        return None
    return schema if size <= gated_calls.MAX_DEFINITION else None
