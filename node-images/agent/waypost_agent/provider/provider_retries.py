"""Calls of a provider, repeated while waiting may help: counted, traced, and held to the limits."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from pydantic_ai.messages import ModelResponse
from waypost.protocol.ijson import Json
from waypost.protocol.timestamps import now

from waypost_agent.agent_request import ModelWork
from waypost_agent.failures import Refusal, Stopped, refusal_of
from waypost_agent.limits import Meter
from waypost_agent.provider import answers
from waypost_agent.provider.first_byte import FirstByte
from waypost_agent.usage import Tokens, cost_of, plain, tokens_of

PATIENCE: Final = 60.0  # seconds that an attempt waits for its provider in all
TRIES: Final = 4  # of one call that fails although the provider is not busy
# Seconds after which a provider that is busy and names no time is tried by another attempt. The
# operator waits five times, so that a bad quarter of an hour is outlasted.
BUSY_WAIT: Final = 180.0
FIRST_WAIT: Final = 0.5  # seconds, doubled after every try
_NO_TOKENS: Final[dict[str, Json]] = {"inputTokens": 0, "cachedTokens": 0, "outputTokens": 0}


class ProviderRetries:
    """The calls of one model in one attempt. `deadline`: the time.monotonic() at which the attempt
    ends. `first_byte` watches its client."""

    def __init__(
        self, work: ModelWork, *, meter: Meter, deadline: float, first_byte: FirstByte
    ) -> None:
        self._name = work.name
        # Where a call failed: no provider is known to the pod then.
        self._via = " through the model gateway" if work.token_file else ""
        self._provider = work.provider
        self._price = work.price
        self._timeout = work.timeout
        self._meter = meter
        self._deadline = deadline
        self._patience = PATIENCE
        self._first_byte = first_byte

    async def call(
        self,
        request: Callable[[], Awaitable[ModelResponse]],
        *,
        estimate: Callable[[ModelResponse], ModelResponse],
    ) -> ModelResponse:
        """The answer to `request`, made as often as it takes. `estimate` adds tokens to an answer
        whose provider reports none. Raises Stopped."""
        pause, tries = FIRST_WAIT, 1
        while True:
            self._meter.before_model_call()
            start = now()
            try:
                async with asyncio.timeout(self._timeout) as clock:
                    response = await request()
            except asyncio.CancelledError:
                self._trace_error("cut short: the attempt was ended", start)
                raise
            except Exception as error:  # noqa: BLE001 - of three libraries; refusal_of tells them apart
                if isinstance(error, TimeoutError) and clock.expired():
                    error = TimeoutError(f"no answer within {self._timeout:g} s")
                refusal = refusal_of(error)
                unread = None
                if refusal.answered:
                    unread = tokens_of(estimate(ModelResponse(parts=[])))
                    self._meter.model_call(self._price, **unread)
                self._trace_error(f"{refusal.reason}: {refusal.message}", start, unread)
                await self._wait(refusal, pause, tries)
                pause, tries = pause * 2, tries + 1
            else:
                response = estimate(response)
                self._count(response, start)
                return response

    def _trace_error(self, error: str, start: str, tokens: Tokens | None = None) -> None:
        """Trace a call without a usable answer; `tokens` are those of one that was answered."""
        counted = _NO_TOKENS if tokens is None else self._counts(tokens)
        self._meter.add(
            "model",
            start=start,
            model=self._name,
            provider=self._provider,
            **counted,
            error=error,
            **self._first_byte.taken(),
        )

    async def _wait(self, refusal: Refusal, pause: float, tries: int) -> None:
        """Wait before the next try. Raises Stopped when there will be none."""
        seconds = max(pause, refusal.retry_after or 0.0)
        left = min(self._patience, self._deadline - time.monotonic())
        last = not refusal.busy and tries == TRIES
        if not refusal.again or last or seconds > left:
            count = f" ({tries} tries)" if tries > 1 else ""
            raise Stopped(
                refusal.reason,
                f"model {self._name}{self._via}: {refusal.message}{count}",
                retry_after=refusal.retry_after or (BUSY_WAIT if refusal.busy else None),
            )
        self._patience -= seconds
        start = now()
        await asyncio.sleep(seconds)
        self._meter.waited(refusal.reason, seconds, start=start)

    def _count(self, response: ModelResponse, start: str) -> None:
        tokens = tokens_of(response)
        self._meter.model_call(self._price, **tokens)
        self._meter.add(
            "model",
            start=start,
            model=response.model_name or self._name,
            provider=self._provider,
            finish=response.finish_reason or answers.finish_word(response),
            **self._counts(tokens),
            **self._first_byte.taken(),
        )

    def _counts(self, tokens: Tokens) -> dict[str, Json]:
        """The fields of a trace entry about tokens and cost: all entries add up to the usage."""
        return {
            "inputTokens": tokens["input_tokens"],
            "cachedTokens": tokens["cached_tokens"],
            "outputTokens": tokens["output_tokens"],
            "costUSD": plain(cost_of(self._price, tokens)) if self._price else None,
            "estimated": tokens.get("estimated") or None,
        }
