"""Converts Anthropic's messages API to conversations and back."""

import json
from collections.abc import Iterator
from typing import Any

from waypost.dev.conversation import Answer, Ask, Failure, Json, Message, plain
from waypost.dev.stream import Chunk, pieces

PROVIDER = "Anthropic"
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def read(body: dict[str, Any]) -> Ask:
    """Parse a request. Raises KeyError or TypeError on malformed input."""
    names: dict[str, str] = {}
    messages: list[Message] = []
    for item in body["messages"]:
        text = _text(item["content"])
        blocks = item["content"] if isinstance(item["content"], list) else []
        if item["role"] == "assistant":
            names |= {b["id"]: b["name"] for b in blocks if b["type"] == "tool_use"}
            messages.append(Message("assistant", text))
            continue
        for block in blocks:
            if block["type"] == "tool_result":
                tool = names.get(block["tool_use_id"], "")
                messages.append(Message("tool", _text(block.get("content")), tool))
        if text:
            messages.append(Message("user", text))
    return Ask(
        provider=PROVIDER,
        model=body["model"],
        stream=bool(body.get("stream")),
        system=_text(body.get("system")),
        messages=tuple(messages),
        tools=tuple(tool["name"] for tool in body.get("tools") or ()),
        json_text="format" in (body.get("output_config") or {}),
        body=body,
    )


def _text(content: Json) -> str:
    if isinstance(content, list):
        return "".join(block.get("text", "") for block in content)
    return "" if content is None else plain(content)


def write(ask: Ask, answer: Answer) -> dict[str, Json]:
    """The response as one document."""
    return {
        **_head(ask, answer),
        "content": _blocks(answer),
        "stop_reason": _stop(answer),
        "stop_details": _details(answer),
        "usage": _usage(answer),
    }


def stream(ask: Ask, answer: Answer) -> Iterator[Chunk]:
    """The answer in server-sent events."""
    opened = {**_head(ask, answer), "content": [], "stop_reason": None}
    opened["usage"] = {**_usage(answer), "output_tokens": 0}
    yield _event("message_start", message=opened)
    for index, block in enumerate(_blocks(answer)):
        empty: dict[str, Json]
        if block["type"] == "text":
            empty, kind, key, text = {"text": ""}, "text_delta", "text", block["text"]
        else:
            written = json.dumps(block["input"])
            empty, kind, key, text = {"input": {}}, "input_json_delta", "partial_json", written
        yield _event("content_block_start", index=index, content_block={**block, **empty})
        for piece in pieces(text):
            delta = {"type": kind, key: piece}
            yield _event("content_block_delta", text=piece, index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    ending = {"stop_reason": _stop(answer), "stop_details": _details(answer)}
    usage = {"output_tokens": answer.usage.output}
    yield _event("message_delta", delta={**ending, "stop_sequence": None}, usage=usage)
    yield _event("message_stop")


def fail(failure: Failure) -> dict[str, Json]:
    """The body of an error."""
    kind = _KINDS.get(failure.status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": failure.message}}


def _event(kind: str, *, text: str = "", **fields: Json) -> Chunk:
    return Chunk(json.dumps({"type": kind, **fields}), event=kind, text=text)


def _head(ask: Ask, answer: Answer) -> dict[str, Json]:
    head = {"id": answer.id, "type": "message", "role": "assistant", "model": ask.model}
    return {**head, "stop_sequence": None}


def _blocks(answer: Answer) -> list[dict[str, Json]]:
    blocks: list[dict[str, Json]] = []
    if answer.text:
        blocks.append({"type": "text", "text": answer.text})
    for call in answer.calls:
        arguments = call.argument_object()
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
    return blocks


def _stop(answer: Answer) -> str:
    if answer.refusal:
        return "refusal"
    return "tool_use" if answer.calls else "end_turn"


def _details(answer: Answer) -> Json:
    if not answer.refusal:
        return None
    return {"type": "refusal", "explanation": answer.refusal, "category": None}


def _usage(answer: Answer) -> dict[str, Json]:
    # Here cached tokens stand beside the others, not among them.
    return {
        "input_tokens": answer.usage.input - answer.usage.cached,
        "cache_read_input_tokens": answer.usage.cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": answer.usage.output,
    }
