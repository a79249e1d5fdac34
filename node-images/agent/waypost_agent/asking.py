"""Calls of the model: counted, held to the limits, waited for, and traced."""

import asyncio
import time
from typing import Final

from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from waypost.protocol.reasons import Reason

from waypost_agent.calls import Calls
from waypost_agent.failures import Refusal, Stopped, one_line, refusal_of
from waypost_agent.meter import Meter, now

PATIENCE: Final = 60.0  # seconds that an attempt waits for its provider in all
TRIES: Final = 4  # of one call that is answered with 5xx or not at all
FIRST_WAIT: Final = 0.5  # seconds, doubled after every try
_FILTERED: Final = "content_filter"
_NO_TOKENS: Final = {"inputTokens": 0, "cachedTokens": 0, "outputTokens": 0}


class Asking(WrapperModel):
    """The model, as the loop sees it. Raises Stopped where the attempt is over."""

    def __init__(
        self,
        model: Model,
        *,
        meter: Meter,
        calls: Calls,
        timeout: float,
        deadline: float,
    ) -> None:
        """`timeout`: seconds of one call; `deadline`: the time.monotonic() of the attempt's end."""
        super().__init__(model)
        self._meter = meter
        self._calls = calls
        self._timeout = timeout
        self._deadline = deadline
        self._patience = PATIENCE

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """One answer of the model, however many tries it takes."""
        pause, tries = FIRST_WAIT, 1
        while True:
            self._meter.before_model_call()
            start = now()
            try:
                async with asyncio.timeout(self._timeout) as clock:
                    response = await super().request(
                        messages, model_settings, model_request_parameters
                    )
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
                return self._answered(response, model_request_parameters, start)

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

    def _answered(
        self, response: ModelResponse, parameters: ModelRequestParameters, start: str
    ) -> ModelResponse:
        usage = response.usage
        tokens = {
            "input_tokens": usage.input_tokens,
            "cached_tokens": min(usage.cache_read_tokens, usage.input_tokens),
            "output_tokens": usage.output_tokens,
        }
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
        if response.finish_reason == _FILTERED:
            said = one_line(_refusal_in(response))
            raise Stopped(Reason.REFUSED, f"model {self.model_name} refuses: {said}")
        output_tools = {tool.name for tool in parameters.output_tools}
        offered = {tool.name for tool in parameters.function_tools}
        self._calls.asked(
            [
                (part.tool_call_id, part.tool_name)
                for part in response.parts
                if isinstance(part, ToolCallPart) and part.tool_name not in output_tools
            ],
            offered=offered,
        )
        return response


def _refusal_in(response: ModelResponse) -> str:
    details = response.provider_details or {}
    told = details.get("refusal") or details.get("block_reason_message") or response.text
    return str(told or details.get("finish_reason") or "its content filter, without a text")
