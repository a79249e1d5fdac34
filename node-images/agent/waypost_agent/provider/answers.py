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
from waypost_agent.provider.written_calls import written_call

_USABLE_ID: Final = re.compile(r"[!-~]{1,40}")  # OpenAI takes no longer ones
# Why an answer was cut, in the provider's own word: here a higher maxTokens does not help.
_FULL_CONTEXT: Final = frozenset(
    {"model_context_window_exceeded", "CONTEXT_WINDOW_EXCEEDED", "model_length", "context_length"}
)


# Finish reasons of servers that have other words than the interface they speak.
_FOREIGN_WORDS: Final = (
    ("length", re.compile(
        r"length|max[-_ ]?(output|new|completion|len|tokens?|context|seq|predict|model)|"
        r"num[-_ ]?predict|seq[-_ ]?len|tokens?[-_ ]?(limit|exceed)|"
        r"output[-_ ]?(limit|exceed)|^limit([-_ ](reached|hit|exceeded))?$|truncat|window|"
        r"(context|input|char(acter)?s?|words?|model|size|stopped|hit|reached|max|error|reason)"
        r"[-_ ]?limit|cut[-_ ]?off|^partial|too[-_ ]?long|reached[-_ ]?max|^max$|"
        r"(context|ctx|cache)[-_ ]?(full|exceed|overflow|exhaust)", re.I)),
    ("content_filter", re.compile(
        r"filter|safety|refus|sensitive|prohibit|block|recitation|guardrail|moderat|policy|spii|"
        r"unsafe|toxic|harm|violence|hate|sexual|copyright|blacklist|responsible[-_ ]?ai|"
        r"forbid|nsfw|abus|jailbreak|malicious|compliance",
        re.I)),
    ("error", re.compile(
        r"error|abort|cancel|insufficient|network|time_?out|timed|interrupt|malformed|unexpected|"
        r"too_many|fail|incomplete|not[-_ ]?finished|overload|unavailable|preempt|pause|missing|"
        r"unfinished|disconnect|crash|panic|throttl|busy|expire|stall|exhaust|invalid|reject|denied|"
        r"capacity|broken|unsupported|shut[-_ ]?down|stopped[-_ ]by|no[-_ ]?(output|response)|"
        r"(time|rate)[-_ ]?limit|quota|budget|deadline|exceed|killed|evict|early|dropped|closed|"
        r"out[-_ ]of[-_ ]|oom|repetiti|degenerat|max[-_ ](turn|step|iter|round)|"
        r"^(other|load|language)$", re.I)),
)  # fmt: skip


class Problem(NamedTuple):
    """Why an answer cannot be used. `again`: the model may do better when asked again at once."""

    reason: Reason
    message: str
    again: bool = False


def problem_of(
    response: ModelResponse, *, max_tokens: int | None, offered: Collection[str] = ()
) -> Problem | None:
    """What the finish reason says against using an answer; None when it says nothing.

    `max_tokens`: settings.maxTokens as it was sent, None where the provider's own limit holds.
    `offered`: the tools that the model may call.
    """
    finish = _finish(response)
    if finish == "content_filter":
        return Problem(Reason.REFUSED, f"refuses: {one_line(_refusal_text(response))}")
    if finish == "length":
        return Problem(Reason.OUTPUT_INVALID, _cut_text(response, max_tokens))
    if finish == "error":
        text = f"gave no usable answer: its finish reason is {finish_word(response) or 'error'}"
        return Problem(Reason.PROVIDER_ERROR, text, again=True)
    if finish == "tool_call" and not call_ids(response):
        # A server that cannot read the calls of its model sends them as text, or not at all.
        text = "gave no usable answer: it says that it calls tools, and has no call"
        return Problem(Reason.PROVIDER_ERROR, text, again=True)
    if (name := written_call(response, offered)) is not None:
        text = (
            f"gave no usable answer: its text is a call of {name}, which its server did not read; "
            "start the server with the parser for tool calls of this model"
        )
        return Problem(Reason.PROVIDER_ERROR, text, again=True)
    return None


_LONGEST_WORD: Final = 60


def finish_word(response: ModelResponse) -> str | None:
    """The finish reason in the provider's own word, None where it gave none.

    A longer text is no word. It is not cut: secrets are removed later, and part of one would not be
    found.
    """
    text = _finish_text(response)
    return f"a text of {len(text)} characters" if len(text) > _LONGEST_WORD else text or None


def _finish_text(response: ModelResponse) -> str:
    word = (response.provider_details or {}).get("finish_reason") or response.finish_reason
    return one_line(str(word)) if word else ""


def _finish(response: ModelResponse) -> str | None:
    """The finish reason; words that the library does not know are judged by what they say, and
    None stands for one that says nothing against the answer."""
    if response.finish_reason is not None or response.state == "suspended":
        return response.finish_reason
    word = _finish_text(response)
    return next((kind for kind, words in _FOREIGN_WORDS if words.search(word)), None)


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
