"""Tool calls and outputs that a model wrote into its text. Pure: no I/O.

Servers that do not know the model's form of a call leave it in the text, with a finish reason that
says nothing. A text that is a call of an offered tool is no output. It is not made either: what
such a server has left out of it cannot be known.
"""

import json
import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

from pydantic_ai.messages import ModelResponse, TextPart, ThinkingPart, ToolCallPart
from pydantic_ai.models import ModelRequestParameters
from waypost.protocol import ijson, schema

# How models begin a call, as their servers pass it on: Hermes and Qwen, Mistral, Llama, Claude,
# DeepSeek, Kimi, gpt-oss, Gemini, Granite.
_MARKS: Final = re.compile(
    r"<tool_?calls?>|\[TOOL_CALLS\]|<\|python_tag\|>|<function[=_ ]|<(\w+:)?invoke |<tool_use>|"
    r"<[|｜](tool|action)[^>]*[|｜]>|<\|channel\|>|\bto=functions\.|```(tool_code|tool_call)\b",
    re.IGNORECASE,
)
_FENCED: Final = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?```\s*", re.DOTALL)
_ARGUMENTS: Final = ("arguments", "parameters", "args", "input")
_LONGEST: Final = 64 * 1024


def written_call(response: ModelResponse, offered: Collection[str]) -> str | None:
    """The offered tool that the text of an answer without calls calls; None if it calls none."""
    if any(isinstance(part, ToolCallPart) for part in response.parts):
        return None
    text = "".join(part.content for part in response.parts if isinstance(part, TextPart)).strip()
    if not text or len(text) > _LONGEST:
        return None
    if _MARKS.match(text):
        called = (name for name in offered if re.search(rf"\b{re.escape(name)}\b", text))
        return next(called, None)
    found = _object_in(text)
    name = found.get("name") if found else None
    is_call = found is not None and any(field in found for field in _ARGUMENTS)
    return name if is_call and isinstance(name, str) and name in offered else None


def with_output_as_call(
    response: ModelResponse, parameters: ModelRequestParameters
) -> ModelResponse:
    """The answer, with the output as a call where its whole text is what the call would have said.

    A model that is asked to give its output by a call may write the same JSON as text: it is paid
    for, and its meaning is clear if it meets the schema.
    """
    if len(parameters.output_tools) != 1:
        return response
    parts = [part for part in response.parts if not isinstance(part, ThinkingPart)]
    if len(parts) != 1 or not isinstance(parts[0], TextPart):
        return response
    found = _object_in(parts[0].content)
    tool = parameters.output_tools[0]
    if found is None or schema.validate(tool.parameters_json_schema, found, limit=1):
        return response
    call = ToolCallPart(tool_name=tool.name, args=found, tool_call_id="")
    return replace(
        response, parts=[part if part is not parts[0] else call for part in response.parts]
    )


def _object_in(text: str) -> dict[str, Any] | None:
    """The JSON object that is the whole text, or the one block of code in it."""
    fenced = _FENCED.fullmatch(text)
    whole = (fenced[1] if fenced else text).strip()
    if not whole.startswith("{"):
        return None
    try:
        found = ijson.check(json.loads(whole))
    except (ValueError, RecursionError, ijson.IJsonError):
        return None
    return found if isinstance(found, dict) else None
