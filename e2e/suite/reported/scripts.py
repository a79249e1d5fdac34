"""What model providers and tool servers answer in the tests of agents, by script."""

import json
from typing import Any

from e2e.suite.kube import Obj

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)
RECIPIENT = {"type": "object", "required": ["to"], "properties": {"to": {"type": "string"}}}
SEND = {"name": "send", "description": "Send a mail.", "inputSchema": RECIPIENT}
TOKENS = {"prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70}


def reply(message: Obj, *, finish: str = "", usage: Obj | None = TOKENS) -> Obj:
    """An answer of a model; without usage when that is None."""
    ended = finish or ("tool_calls" if "tool_calls" in message else "stop")
    body: Obj = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1760000000,
        "model": "any",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": None, **message},
                "finish_reason": ended,
            }
        ],
    }
    return {"json": body if usage is None else {**body, "usage": usage}}


def say(words: str | Obj, **more: Any) -> Obj:
    return reply({"content": words}, **more)


def call(*calls: Obj, **more: Any) -> Obj:
    """Calls of the tool `send` or another; `id` as the provider gives it."""
    made = [
        {
            "id": each.get("id", f"c{number}"),
            "type": "function",
            "function": {"name": each.get("tool", "send"), "arguments": json.dumps(each["with"])},
        }
        for number, each in enumerate(calls)
    ]
    return reply({"tool_calls": made}, **more)


def text(words: str | Obj) -> Obj:
    return {"type": "text", "text": words}


def sent(*blocks: Obj) -> Obj:
    return {"content": list(blocks) or [text("sent")]}


TO_ANN = call({"with": {"to": "ann"}})
TO_BOB = call({"with": {"to": "bob"}})
BUSY = {"error": {"code": 429, "message": "rate limited upstream, retry shortly"}}
DENIED = {"status": 401, "json": {"error": "token expired"}}
OVERLOADED = {"status": 529, "json": {"error": {"message": "Overloaded"}}}
LOG = {"repeat": "x", "times": 100_000}
PLAN = {"repeat": "One more of the many steps.\n", "times": 1500}
QUESTION = {
    "method": "elicitation/create",
    "params": {"message": "Really?", "requestedSchema": {"type": "object", "properties": {}}},
}
SCRIPTS: dict[str, Obj] = {
    "cut": {"replies": [say("Decided: the of", finish="length")]},
    "twins": {
        "replies": [
            call(
                {"id": "send:0", "with": {"to": "ann"}},
                {"id": "send:0", "with": {"to": "bob"}},
            ),
            say("both"),
        ],
        "results": [sent(text("3")), sent(text("5"))],
    },
    "open-map": {
        "replies": [call({"tool": "final_result", "with": {"labels": {"state": "open"}}})]
    },
    "picture": {
        "replies": [TO_ANN, say("done")],
        "results": [
            sent(
                text("sent, message 4711"),
                {"type": "image", "mimeType": "image/png", "data": PIXEL},
            )
        ],
    },
    "no-usage": {
        "replies": [*[call({"with": {"to": "ann"}}, usage=None)] * 30, say("All know.", usage=None)]
    },
    "error-in-200": {"replies": [{"json": BUSY}, say("nothing new")]},
    "bad-schema": {
        "replies": [TO_ANN, say("sent")],
        "tools": [SEND, {"name": "merge", "description": "Merge.", "inputSchema": {}}],
    },
    "expired": {"replies": [TO_ANN, TO_BOB, say("Both know.")], "results": [sent(), DENIED]},
    "large": {
        "replies": [TO_ANN, say("a missing semicolon")],
        "results": [sent(text(LOG))],
    },
    "overloaded": {"replies": [*[OVERLOADED] * 6, say("nothing new")]},
    "asks-back": {"replies": [TO_ANN, say("done")], "results": [{"ask": QUESTION}]},
    "big-ids": {"page": {"id": 7615917337495251231, "text": "hello"}},
    "moved": {"replies": [TO_ANN, say("sent")], "moved": True},
    "long-plan": {"replies": [say(PLAN)]},
}


def uses_tools(script: Obj) -> bool:
    return '"send"' in json.dumps(script.get("replies"))
