"""Answers of a provider as bytes, in the three interfaces, for answers that no script can give."""

import json
from dataclasses import dataclass
from typing import Any

from tests.runner.servers import Reply

# How each interface spells a finish reason.
FINISH = {
    "OpenAI": {"stop": "stop", "length": "length", "filter": "content_filter", "error": "error"},
    "Anthropic": {"stop": "end_turn", "length": "max_tokens", "filter": "refusal"},
    "Google": {
        "stop": "STOP",
        "length": "MAX_TOKENS",
        "filter": "SAFETY",
        "error": "MALFORMED_FUNCTION_CALL",
    },
}


@dataclass(frozen=True)
class Call:
    """A tool call of an answer; `arguments` as text, which may be cut."""

    tool: str
    arguments: str = "{}"
    id: str = "call_1"


def reply(body: Any, *, status: int = 200, **headers: str) -> Reply:
    """A reply with this JSON, or these bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = (("Content-Type", "application/json"), *headers.items())
    return Reply(status=status, body=content, headers=named)


def answer(
    type_: str,
    text: str = "",
    *calls: Call,
    finish: str = "stop",
    tokens: tuple[int, int] | None = (10, 5),
) -> Reply:
    """An answer with text and calls; `tokens` are input and output, None leaves usage out."""
    make = {"OpenAI": _openai, "Anthropic": _anthropic, "Google": _google}[type_]
    return reply(make(text, calls, FINISH[type_].get(finish, finish), tokens))


def _openai(text: str, calls: Any, finish: str, tokens: Any) -> Any:
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.tool, "arguments": c.arguments}}
            for c in calls
        ]
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1760000000,
        "model": "some",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    if tokens:
        total = sum(tokens)
        body["usage"] = {
            "prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": total
        }  # fmt: skip
    return body


def _anthropic(text: str, calls: Any, finish: str, tokens: Any) -> Any:
    content: list[Any] = [{"type": "text", "text": text}] if text else []
    content += [
        {"type": "tool_use", "id": c.id, "name": c.tool, "input": json.loads(c.arguments)}
        for c in calls
    ]
    used = tokens or (0, 0)
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "some",
        "stop_reason": "tool_use" if calls and finish == "end_turn" else finish,
        "stop_sequence": None,
        "content": content,
        "usage": {"input_tokens": used[0], "output_tokens": used[1]},
    }


def _google(text: str, calls: Any, finish: str, tokens: Any) -> Any:
    parts: list[Any] = [{"text": text}] if text else []
    parts += [
        {"functionCall": {"id": c.id, "name": c.tool, "args": json.loads(c.arguments)}}
        for c in calls
    ]
    body: dict[str, Any] = {
        "candidates": [
            {"index": 0, "content": {"role": "model", "parts": parts}, "finishReason": finish}
        ],
        "modelVersion": "some",
    }
    if tokens:
        body["usageMetadata"] = {
            "promptTokenCount": tokens[0],
            "candidatesTokenCount": tokens[1],
            "totalTokenCount": sum(tokens),
        }
    return body
