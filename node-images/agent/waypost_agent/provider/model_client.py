"""The model as the loop sees it: answers are replayed or asked for, and judged before they are
journaled, so that a journal holds no answer that the loop would refuse."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition
from waypost.protocol.timestamps import now

from waypost_agent.agent_request import Price, provider_in
from waypost_agent.calls import Calls
from waypost_agent.failures import Stopped
from waypost_agent.gate import Gate
from waypost_agent.journal.entries import Mark, Turn
from waypost_agent.journal.journal import Journal
from waypost_agent.limits import Meter
from waypost_agent.provider import answers
from waypost_agent.provider.answers import Problem
from waypost_agent.provider.candidates import Candidate, Candidates
from waypost_agent.provider.estimates import with_estimate
from waypost_agent.provider.written_calls import with_output_as_call
from waypost_agent.tools.effects import Effects
from waypost_agent.tools.tool_names import ToolNames
from waypost_agent.usage import tokens_of

TRIES: Final = 4  # of a call whose answers are unusable by chance


class ModelClient(WrapperModel):
    """The model, as the loop sees it: `candidate`, and those after it when it does not answer.
    Raises Stopped where the attempt is over."""

    def __init__(
        self,
        candidate: Candidate,
        *,
        candidates: Candidates,
        price_of: Callable[[str | None], Price | None],
        meter: Meter,
        calls: Calls,
        journal: Journal,
        effects: Effects,
        names: ToolNames,
        gate: Gate,
    ) -> None:
        super().__init__(candidate.model)
        self._candidate = candidate
        self._candidates = candidates
        self._price_of = price_of
        self._meter = meter
        self._calls = calls
        self._journal = journal
        self._effects = effects
        self._names = names
        self._gate = gate
        self._ids: set[str] = set()  # of the conversation's tool calls

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The answer that an earlier attempt was given, else one of the model. Raises Parked if
        calls of the last answer wait for a decision."""
        await self._gate.park()
        parameters = model_request_parameters
        earlier = self._journal.next_answer()
        if earlier is not None:
            # Earlier releases kept answers without usage as they were.
            response = self._with_given_names(earlier.response)
            response = with_estimate(response, messages, parameters)
            self._replay(response, earlier, parameters)
            return response
        while True:
            try:
                response, problem = await self._ask(messages, parameters)
            except Stopped as stopped:
                await self._fall_back(stopped)
                continue
            if problem is None or not problem.again or not self._candidates.left:
                await self._accept(response, parameters, problem)
                return response
            await self._discard(response)
            await self._fall_back(self._stopped(problem))

    async def _ask(
        self, messages: list[ModelMessage], parameters: ModelRequestParameters
    ) -> tuple[ModelResponse, Problem | None]:
        """The answer of the current model, and what is wrong with it after all tries."""
        _, _, settings, retries = self._candidate
        ask = super().request
        for left in reversed(range(TRIES)):
            await self._journal.asking()
            response = await retries.call(
                lambda: ask(messages, settings, parameters),
                estimate=lambda answer: with_estimate(answer, messages, parameters),
            )
            response = with_output_as_call(self._with_given_names(response), parameters)
            response = answers.with_own_ids(response, self._ids)
            problem = self._problem_of(response, parameters)
            if problem is None or not problem.again or not left:
                break
            await self._discard(response)
        return response, problem

    async def _fall_back(self, failure: Stopped) -> None:
        """Go on with the next model. Raises Stopped when there is none, or none can help."""
        self._candidate = await self._candidates.after(failure)
        self.wrapped = self._candidate.model

    async def _discard(self, response: ModelResponse) -> None:
        await self._keep(response)
        self._journal.discard_answer()

    async def _keep(
        self, response: ModelResponse, *, asked: Sequence[str] = (), marks: Sequence[Mark] = ()
    ) -> None:
        key = self._candidate.work.key
        await self._journal.answered(response, asked=asked, marks=marks, model=key)

    async def _accept(
        self,
        response: ModelResponse,
        parameters: ModelRequestParameters,
        problem: Problem | None,
    ) -> None:
        """Count the tool calls of an answer and keep it. Raises Stopped for one that ends the
        attempt; none of its calls begins."""
        calls = self._calls_of(response, parameters)
        marks = self._marks(calls, parameters)
        try:
            self._stop_for(problem)
            self._count_calls(calls, parameters)
        except Stopped:
            # It is paid for, and an attempt that replays it would judge it the same.
            await self._keep(response)
            raise
        await self._keep(
            response, asked=[self._names.own(call.tool_name) for call in calls], marks=marks
        )

    def _replay(
        self,
        response: ModelResponse,
        earlier: Turn,
        parameters: ModelRequestParameters,
    ) -> None:
        """Count and trace an answer of the journal. Raises Stopped."""
        self._ids.update(answers.call_ids(response))
        self._meter.replayed_model_call(self._price_of(earlier.model), **tokens_of(response))
        # Without tokens: the sum over the traces of all attempts must not count them twice.
        name = response.model_name or self.model_name
        self._meter.add(
            "model",
            start=now(),
            model=name,
            provider=provider_in(earlier.model),
            finish=response.finish_reason or answers.finish_word(response),
            replayed=True,
        )
        if not earlier.marks and not self._journal.replaying:
            # Earlier releases used answers that were cut; what was done with them stays done.
            self._stop_for(self._problem_of(response, parameters))
        calls = self._calls_of(response, parameters)
        self._count_calls(calls, parameters, replayed=True)

    def _problem_of(
        self, response: ModelResponse, parameters: ModelRequestParameters
    ) -> Problem | None:
        limit = self._candidate.settings.get("max_tokens")
        tools = (*parameters.function_tools, *parameters.output_tools)
        offered = tuple(tool.name for tool in tools)
        return answers.problem_of(response, max_tokens=limit, offered=offered)

    def _stop_for(self, problem: Problem | None) -> None:
        if problem is not None:
            raise self._stopped(problem)

    def _stopped(self, problem: Problem) -> Stopped:
        text = f"model {self.model_name}: {problem.message}"
        return Stopped(problem.reason, text, of_answer=True)

    def _count_calls(
        self,
        calls: list[ToolCallPart],
        parameters: ModelRequestParameters,
        *,
        replayed: bool = False,
    ) -> None:
        self._gate.asked(calls)
        schemas = {tool.name: tool.parameters_json_schema for tool in parameters.function_tools}
        for part in calls:
            self._calls.shows(part, schemas.get(part.tool_name))
        self._calls.asked(
            [(part.tool_call_id, self._names.own(part.tool_name)) for part in calls],
            offered={self._names.own(tool.name) for tool in parameters.function_tools},
            replayed=replayed,
        )

    def _calls_of(
        self, response: ModelResponse, parameters: ModelRequestParameters
    ) -> list[ToolCallPart]:
        output_tools = {tool.name for tool in parameters.output_tools}
        return answers.tool_calls(response, output_tools=output_tools)

    def _with_given_names(self, response: ModelResponse) -> ModelResponse:
        """The answer, with the names that the model was given: it may say a tool's own name, or
        a name that no provider takes back."""
        parts = list(response.parts)
        for index, part in enumerate(parts):
            if isinstance(part, ToolCallPart):
                given: Any = self._names.given(part.tool_name)
                if given != part.tool_name:
                    parts[index] = replace(part, tool_name=given)
        return replace(response, parts=parts)

    def _marks(self, calls: list[ToolCallPart], parameters: ModelRequestParameters) -> list[Mark]:
        offered = {tool.name: tool for tool in parameters.function_tools}
        return [
            Mark(
                part.tool_call_id,
                self._names.own(part.tool_name),
                f"sha256:{hashlib.sha256(part.args_as_json_str().encode()).hexdigest()}",
                self._effect_of(offered[part.tool_name]),
                self._gate.holds(self._names.own(part.tool_name)),
            )
            for part in calls
            if part.tool_name in offered
        ]

    def _effect_of(self, tool: ToolDefinition) -> str:
        return self._effects.of(replace(tool, name=self._names.own(tool.name)))
