"""Converts Google's generateContent API to conversations and back."""

import json
from collections.abc import Iterator
from typing import Any

from waypost.dev.conversation import Answer, Ask, Failure, Json, Message, plain
from waypost.dev.stream import Chunk, pieces

PROVIDER = "Google"
_KINDS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND"}
_BUSY = {429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}


def read(body: dict[str, Any], *, model: str, streamed: bool) -> Ask:
    """Parse a request. Raises KeyError or TypeError on malformed input."""
    messages: list[Message] = []
    for item in body["contents"]:
        parts = item["parts"]
        for part in parts:
            if "functionResponse" in part:
                given = part["functionResponse"]
                messages.append(Message("tool", _result(given["response"]), given["name"]))
        text = "".join(part.get("text", "") for part in parts)
        if item.get("role") == "model":
            messages.append(Message("assistant", text))
        elif text:
            messages.append(Message("user", text))
    system = (body.get("systemInstruction") or {}).get("parts") or ()
    declared = [d for tool in body.get("tools") or () for d in tool.get("functionDeclarations", ())]
    config = body.get("generationConfig") or {}
    return Ask(
        provider=PROVIDER,
        model=model,
        stream=streamed,
        system="\n".join(part.get("text", "") for part in system),
        messages=tuple(messages),
        tools=tuple(function["name"] for function in declared),
        json_text=config.get("responseMimeType") == "application/json",
        body=body,
    )


def _result(response: Json) -> str:
    """A tool result; clients wrap a value that is not an object in an object with one key."""
    if isinstance(response, dict) and list(response) in (["return_value"], ["result"]):
        return plain(next(iter(response.values())))
    return plain(response)


def write(ask: Ask, answer: Answer) -> dict[str, Json]:
    """The response as one document."""
    return _chunk(ask, answer, _parts(answer), last=True)


def stream(ask: Ask, answer: Answer) -> Iterator[Chunk]:
    """The answer in server-sent events; calls come whole, as Google sends them."""
    for piece in pieces(answer.text):
        yield Chunk(json.dumps(_chunk(ask, answer, [{"text": piece}], last=False)), text=piece)
    calls = [part for part in _parts(answer) if "functionCall" in part]
    text = "".join(call.arguments for call in answer.calls)
    yield Chunk(json.dumps(_chunk(ask, answer, calls, last=True)), text=text)


def fail(failure: Failure) -> dict[str, Json]:
    """The body of an error."""
    status = (_KINDS | _BUSY).get(failure.status, "INTERNAL")
    return {"error": {"code": failure.status, "message": failure.message, "status": status}}


def _parts(answer: Answer) -> list[dict[str, Json]]:
    parts: list[dict[str, Json]] = [{"text": answer.text}] if answer.text else []
    for call in answer.calls:
        function = {"id": call.id, "name": call.name, "args": call.argument_object()}
        parts.append({"functionCall": function})
    return parts


def _chunk(
    ask: Ask, answer: Answer, parts: list[dict[str, Json]], *, last: bool
) -> dict[str, Json]:
    content = {"role": "model", "parts": parts}
    candidate: dict[str, Json] = {"index": 0, "content": content}
    if last:
        candidate["finishReason"] = "SAFETY" if answer.refusal else "STOP"
        if answer.refusal:
            candidate["finishMessage"] = answer.refusal
    usage = answer.usage
    return {
        "responseId": answer.id,
        "modelVersion": ask.model,
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": usage.input,
            "cachedContentTokenCount": usage.cached,
            "candidatesTokenCount": usage.output,
            "totalTokenCount": usage.input + usage.output,
        },
    }
