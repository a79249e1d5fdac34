"""Converts OpenAI's chat completions API to conversations and back."""

import json
import time
from collections.abc import Iterator
from typing import Any

from waypost.dev.conversation import Answer, Ask, Failure, Json, Message, plain
from waypost.dev.stream import Chunk, pieces

PROVIDER = "OpenAI"


def read(body: dict[str, Any]) -> Ask:
    """Parse a request. Raises KeyError or TypeError on malformed input."""
    names: dict[str, str] = {}
    system: list[str] = []
    messages: list[Message] = []
    for item in body["messages"]:
        text = _text(item.get("content"))
        if item["role"] in ("system", "developer"):
            system.append(text)
        elif item["role"] == "tool":
            messages.append(Message("tool", text, names.get(item["tool_call_id"], "")))
        elif item["role"] == "assistant":
            for call in item.get("tool_calls") or ():
                names[call["id"]] = call["function"]["name"]
            messages.append(Message("assistant", text))
        else:
            messages.append(Message("user", text))
    return Ask(
        provider=PROVIDER,
        model=body["model"],
        stream=bool(body.get("stream")),
        system="\n".join(system),
        messages=tuple(messages),
        tools=tuple(tool["function"]["name"] for tool in body.get("tools") or ()),
        json_text=(body.get("response_format") or {}).get("type") in ("json_schema", "json_object"),
        body=body,
    )


def _text(content: Json) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return "" if content is None else plain(content)


def write(ask: Ask, answer: Answer) -> dict[str, Json]:
    """The response as one document."""
    message: dict[str, Json] = {"role": "assistant", "content": answer.text or None}
    if answer.refusal:
        message["refusal"] = answer.refusal
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in answer.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": _finish(answer)}
    head = _head(ask, answer, "chat.completion")
    return {**head, "choices": [choice], "usage": _usage(answer)}


def stream(ask: Ask, answer: Answer) -> Iterator[Chunk]:
    """The answer in server-sent events."""
    head = _head(ask, answer, "chat.completion.chunk")

    def chunk(delta: dict[str, Json], *, finish: str | None = None, text: str = "") -> Chunk:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return Chunk(json.dumps({**head, "choices": [choice]}), text=text)

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(answer.text):
        yield chunk({"content": piece}, text=piece)
    for piece in pieces(answer.refusal):
        yield chunk({"refusal": piece}, text=piece)
    for index, call in enumerate(answer.calls):
        function = {"name": call.name, "arguments": ""}
        opened = {"index": index, "id": call.id, "type": "function", "function": function}
        yield chunk({"tool_calls": [opened]})
        for piece in pieces(call.arguments):
            more = {"index": index, "function": {"arguments": piece}}
            yield chunk({"tool_calls": [more]}, text=piece)
    yield chunk({}, finish=_finish(answer))
    if (ask.body.get("stream_options") or {}).get("include_usage"):
        yield Chunk(json.dumps({**head, "choices": [], "usage": _usage(answer)}))
    yield Chunk("[DONE]")


def fail(failure: Failure) -> dict[str, Json]:
    """The body of an error."""
    kind = "rate_limit_exceeded" if failure.status == 429 else "scripted_error"
    return {"error": {"message": failure.message, "type": kind, "code": failure.code}}


def _head(ask: Ask, answer: Answer, kind: str) -> dict[str, Json]:
    return {
        "id": answer.id,
        "object": kind,
        "created": int(time.time()),
        "model": ask.model,
        "system_fingerprint": "scripted",
    }


def _finish(answer: Answer) -> str:
    return "tool_calls" if answer.calls else "stop"


def _usage(answer: Answer) -> dict[str, Json]:
    usage = answer.usage
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }
