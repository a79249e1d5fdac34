"""Tokens of a model call whose provider does not report them. Pure: no I/O.

Unknown usage must not count as zero: limits and budgets would hold nothing. The estimate is four
bytes a token, over what was asked and answered, and is marked as an estimate wherever it goes.
Pictures, sound and documents count by what providers charge for them, not by their size.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse
from pydantic_ai.models import ModelRequestParameters
from waypost.protocol.artifacts.media import media_tokens

_BYTES_A_TOKEN: Final = 4
_FLAG: Final = "waypost_estimated"  # in the details of a response's usage, so also in a journal


def is_estimated(response: ModelResponse) -> bool:
    """Whether the usage of an answer is an estimate."""
    return bool(response.usage.details.get(_FLAG))


def with_estimate(
    response: ModelResponse, messages: Sequence[ModelMessage], parameters: ModelRequestParameters
) -> ModelResponse:
    """The answer, with estimates where its provider reported no tokens; what was reported stays.

    `messages` and `parameters` are those of the request.
    """
    usage = response.usage
    output = _tokens(_parts_size(response.parts))
    missing_input = usage.input_tokens <= 0
    missing_output = usage.output_tokens <= 0 and output > 0
    if not missing_input and not missing_output:
        return response
    changes: dict[str, Any] = {"details": {**usage.details, _FLAG: 1}}
    if missing_input:
        changes["input_tokens"] = request_tokens(messages, parameters)
    if missing_output:
        changes["output_tokens"] = output
    return replace(response, usage=replace(usage, **changes))


def request_tokens(messages: Sequence[ModelMessage], parameters: ModelRequestParameters) -> int:
    """An estimate of the input tokens of a request."""
    size = sum(_message_size(message) for message in messages)
    for tool in (*parameters.function_tools, *parameters.output_tools):
        schema = json.dumps(tool.parameters_json_schema, ensure_ascii=False, default=str)
        size += _size(tool.name) + _size(tool.description or "") + _size(schema)
    instructions = messages[-1].instructions if isinstance(messages[-1], ModelRequest) else None
    return max(_tokens(size + _size(instructions or "")), 1)


def _message_size(message: ModelMessage) -> int:
    return _parts_size(message.parts)


def _parts_size(parts: Sequence[Any]) -> int:
    """Bytes of what parts of messages say: texts, tool calls, results, thoughts."""
    size = 0
    for part in parts:
        size += _size(getattr(part, "tool_name", None) or "")
        for name in ("content", "args"):
            value = getattr(part, name, None)
            if isinstance(value, str):
                size += _size(value)
            elif value is not None:
                size += _size(json.dumps(value, ensure_ascii=False, default=_described))
    return size


def _described(value: Any) -> str:
    data = getattr(value, "data", None)
    if not isinstance(data, bytes):
        return str(value)
    kind = str(getattr(value, "media_type", ""))
    return "x" * (_BYTES_A_TOKEN * media_tokens(kind, len(data)))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _tokens(size: int) -> int:
    return -(-size // _BYTES_A_TOKEN)
