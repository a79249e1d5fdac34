"""Calls of the model: replayed or made, counted, held to the limits, waited for, and traced."""

import asyncio
import hashlib
import time
from typing import Final

from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from waypost.protocol.reasons import Reason

from waypost_agent.calls import Calls
from waypost_agent.effects import Effects
from waypost_agent.failures import Refusal, Stopped, one_line, refusal_of
from waypost_agent.journal.entries import Mark
from waypost_agent.journal.journal import Journal
from waypost_agent.limits import Meter, now
from waypost_agent.usage import tokens_of

PATIENCE: Final = 60.0  # seconds that an attempt waits for its provider in all
TRIES: Final = 4  # of one call that is answered with 5xx or not at all
FIRST_WAIT: Final = 0.5  # seconds, doubled after every try
_FILTERED: Final = "content_filter"
_NO_TOKENS: Final = {"inputTokens": 0, "cachedTokens": 0, "outputTokens": 0}


class ModelClient(WrapperModel):
    """The model, as the loop sees it. Raises Stopped where the attempt is over."""

    def __init__(
        self,
        model: Model,
        *,
        meter: Meter,
        calls: Calls,
        journal: Journal,
        effects: Effects,
        timeout: float,
        deadline: float,
    ) -> None:
        """`timeout`: seconds of one call; `deadline`: the time.monotonic() of the attempt's end."""
        super().__init__(model)
        self._meter = meter
        self._calls = calls
        self._journal = journal
        self._effects = effects
        self._timeout = timeout
        self._deadline = deadline
        self._patience = PATIENCE

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The answer that an earlier attempt was given; else one of the model, however many tries
        it takes."""
        parameters = model_request_parameters
        earlier = self._journal.next_answer()
        if earlier is not None:
            self._replay(earlier.response)
            self._take(earlier.response, parameters, replayed=True)
            return earlier.response
        await self._journal.asking()
        response = await self._asked(messages, model_settings, parameters)
        marks = _marks(response, parameters, self._effects)
        try:
            asked = self._take(response, parameters)
        except Stopped:
            # It is paid, and judged the same another time; none of its calls begins.
            await self._journal.answered(response, asked=(), marks=())
            raise
        await self._journal.answered(response, asked=asked, marks=marks)
        return response

    async def _asked(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        parameters: ModelRequestParameters,
    ) -> ModelResponse:
        pause, tries = FIRST_WAIT, 1
        while True:
            self._meter.before_model_call()
            start = now()
            try:
                async with asyncio.timeout(self._timeout) as clock:
                    response = await super().request(messages, model_settings, parameters)
            except asyncio.CancelledError:
                self._unanswered("cut short: the attempt was ended", start)
                raise
            except Exception as error:  # noqa: BLE001 - of three libraries; refusal_of tells them apart
                if isinstance(error, TimeoutError) and clock.expired():
                    error = TimeoutError(f"no answer within {self._timeout:g} s")
                refusal = refusal_of(error)
                self._note_refusal(refusal, start)
                await self._wait(refusal, pause, tries)
                pause, tries = pause * 2, tries + 1
            else:
                self._count(response, start)
                return response

    def _note_refusal(self, refusal: Refusal, start: str) -> None:
        if refusal.answered:
            self._meter.model_call(input_tokens=0, cached_tokens=0, output_tokens=0)
        self._unanswered(f"{refusal.reason}: {refusal.message}", start)

    def _unanswered(self, error: str, start: str) -> None:
        self._meter.add("model", start=start, model=self.model_name, **_NO_TOKENS, error=error)

    async def _wait(self, refusal: Refusal, pause: float, tries: int) -> None:
        """Wait before the next try. Raises Stopped when there will be none."""
        seconds = max(pause, refusal.retry_after or 0.0)
        enough = min(self._patience, self._deadline - time.monotonic())
        last = refusal.reason is not Reason.RATE_LIMITED and tries == TRIES
        if not refusal.again or last or seconds > enough:
            often = f" ({tries} tries)" if tries > 1 else ""
            raise Stopped(
                refusal.reason,
                f"model {self.model_name}: {refusal.message}{often}",
                retry_after=refusal.retry_after,
            )
        self._patience -= seconds
        start = now()
        await asyncio.sleep(seconds)
        self._meter.waited(refusal.reason, seconds, start=start)

    def _count(self, response: ModelResponse, start: str) -> None:
        tokens = tokens_of(response)
        self._meter.model_call(**tokens)
        self._meter.add(
            "model",
            start=start,
            model=response.model_name or self.model_name,
            inputTokens=tokens["input_tokens"],
            cachedTokens=tokens["cached_tokens"],
            outputTokens=tokens["output_tokens"],
            finish=response.finish_reason,
        )

    def _replay(self, response: ModelResponse) -> None:
        self._meter.replayed_model_call(**tokens_of(response))
        # Without tokens: whoever adds up the traces of all attempts must not count them twice.
        name = response.model_name or self.model_name
        finish = response.finish_reason
        self._meter.add("model", start=now(), model=name, finish=finish, replayed=True)

    def _take(
        self,
        response: ModelResponse,
        parameters: ModelRequestParameters,
        *,
        replayed: bool = False,
    ) -> list[str]:
        """Names of the tools that an answer asks for. Raises Stopped for one that ends the
        attempt."""
        if response.finish_reason == _FILTERED:
            text = f"model {self.model_name} refuses: {one_line(_refusal_in(response))}"
            raise Stopped(Reason.REFUSED, text, of_answer=True)
        calls = [(part.tool_call_id, part.tool_name) for part in _calls(response, parameters)]
        offered = {tool.name for tool in parameters.function_tools}
        self._calls.asked(calls, offered=offered, replayed=replayed)
        return [name for _, name in calls]


def _calls(response: ModelResponse, parameters: ModelRequestParameters) -> list[ToolCallPart]:
    """The calls of tools, which that of the output is not."""
    output_tools = {tool.name for tool in parameters.output_tools}
    return [
        part
        for part in response.parts
        if isinstance(part, ToolCallPart) and part.tool_name not in output_tools
    ]


def _marks(
    response: ModelResponse, parameters: ModelRequestParameters, effects: Effects
) -> list[Mark]:
    offered = {tool.name: tool for tool in parameters.function_tools}
    return [
        Mark(
            part.tool_call_id,
            part.tool_name,
            f"sha256:{hashlib.sha256(part.args_as_json_str().encode()).hexdigest()}",
            effects.of(offered[part.tool_name]),
        )
        for part in _calls(response, parameters)
        if part.tool_name in offered
    ]


def _refusal_in(response: ModelResponse) -> str:
    details = response.provider_details or {}
    text = details.get("refusal") or details.get("block_reason_message") or response.text
    return str(text or details.get("finish_reason") or "its content filter, without a text")
