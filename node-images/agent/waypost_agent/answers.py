"""Model answers, judged before anything is done with them. Pure: no I/O.

The finish reason decides first: the text, tool calls or final result of an answer that was cut are
not what the model meant, however usable they look.
"""

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Final, NamedTuple

from pydantic_ai.messages import ModelResponse, ToolCallPart
from waypost.protocol.reasons import Reason

from waypost_agent.failures import one_line

_USABLE_ID: Final = re.compile(r"[!-~]{1,40}")  # OpenAI takes no longer ones
# Why an answer was cut, in the provider's own word: here a higher maxTokens does not help.
_FULL_CONTEXT: Final = frozenset({"model_context_window_exceeded", "CONTEXT_WINDOW_EXCEEDED"})


class Problem(NamedTuple):
    """Why an answer cannot be used. `again`: the model may do better when asked again at once."""

    reason: Reason
    message: str
    again: bool = False


def problem_of(response: ModelResponse, *, max_tokens: int | None) -> Problem | None:
    """What the finish reason says against using an answer; None when it says nothing.

    `max_tokens`: settings.maxTokens as it was sent, None where the provider's own limit holds.
    """
    if response.finish_reason == "content_filter":
        return Problem(Reason.REFUSED, f"refuses: {one_line(_refusal_text(response))}")
    if response.finish_reason == "length":
        return Problem(Reason.OUTPUT_INVALID, _cut_text(response, max_tokens))
    if response.finish_reason == "error":
        word = (response.provider_details or {}).get("finish_reason") or "error"
        text = f"gave no usable answer: its finish reason is {one_line(str(word))}"
        return Problem(Reason.PROVIDER_ERROR, text, again=True)
    return None


def with_own_ids(response: ModelResponse, used: set[str]) -> ModelResponse:
    """The answer with tool call ids that no other call of the conversation has, which `used`
    lists; they are added to it.

    A provider's id is kept where it is unique: some models want to see the id they gave. Another
    one has nine letters and digits, the strictest form that a provider asks for.
    """
    parts = list(response.parts)
    for index, part in enumerate(parts):
        if not isinstance(part, ToolCallPart):
            continue
        call_id = part.tool_call_id
        if call_id in used or not _USABLE_ID.fullmatch(call_id):
            call_id = _new_id(used)
            parts[index] = replace(part, tool_call_id=call_id)
        used.add(call_id)
    return replace(response, parts=parts)


def call_ids(response: ModelResponse) -> list[str]:
    """The ids of all tool calls in an answer, the final result's too."""
    return [part.tool_call_id for part in response.parts if isinstance(part, ToolCallPart)]


def tool_calls(response: ModelResponse, *, output_tools: Collection[str]) -> list[ToolCallPart]:
    """The tool calls of an answer without those of `output_tools`, which give the output."""
    return [
        part
        for part in response.parts
        if isinstance(part, ToolCallPart) and part.tool_name not in output_tools
    ]


def _new_id(used: Collection[str]) -> str:
    number = len(used)
    while (call_id := f"call{number:05d}") in used:
        number += 1
    return call_id


def _cut_text(response: ModelResponse, max_tokens: int | None) -> str:
    word = (response.provider_details or {}).get("finish_reason")
    if word in _FULL_CONTEXT:
        return (
            "the answer was cut because the conversation fills the model's context window; shorten "
            "the prompt or the results of tools, or use a model with a larger window"
        )
    limit = "settings.maxTokens is not set, so this is the provider's limit"
    if max_tokens is not None:
        limit = f"settings.maxTokens is {max_tokens}"
    return f"the answer was cut at the token limit ({limit}); raise settings.maxTokens"


def _refusal_text(response: ModelResponse) -> str:
    details = response.provider_details or {}
    text = details.get("refusal") or details.get("block_reason_message") or response.text
    return str(text or details.get("finish_reason") or "its content filter, without a text")
