"""Answers of providers as JSON, brought into the form that the libraries take. Pure: no I/O.

Gateways leave out, misspell or mistype what is not needed, and an answer is paid for once it is
given: what is clear in it is used. What is not clear stays as it is, for the library to refuse.
"""

import json
import math
from collections.abc import Callable
from typing import Any, Final

from waypost_agent.provider import reported_usage

Json = dict[str, Any]
_LONGEST_NAME: Final = 256


def cleaned(document: Json, *, type_: str) -> Json:
    """The answer of a provider of `type_` (OpenAI, Anthropic, Google). What was not reported or is
    no number of tokens counts as zero, which is estimated later."""
    clean: Callable[[Json], Json] = {"OpenAI": _openai, "Anthropic": _anthropic}.get(type_, _google)
    return clean(document)


def without_surrogates(value: Any) -> Any:
    """The value with U+FFFD for lone surrogates, which are no text, and null for NaN and infinity,
    which are no JSON."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [without_surrogates(each) for each in value]
    if isinstance(value, dict):
        return {without_surrogates(k): without_surrogates(v) for k, v in value.items()}
    return value


def _openai(document: Json) -> Json:
    choices = document.get("choices")
    # The node does not ask for these, and some servers fill them with what is none.
    unread = ("service_tier", "object", "system_fingerprint")
    kept = {key: each for key, each in document.items() if key not in unread}
    created = document.get("created")
    return {
        **kept,
        "id": _name(document.get("id")),
        "object": "chat.completion",
        "created": created if type(created) is int else 0,
        "model": _name(document.get("model")),
        "choices": [_choice(each, _cut_of(document)) for each in choices[:1]]
        if isinstance(choices, list)
        else choices,
        "usage": reported_usage.openai_usage(document),
    }


def _cut_of(document: Json) -> str | None:
    """Why an answer is incomplete, in the form of the Responses interface, which gateways add."""
    details = document.get("incomplete_details")
    if isinstance(details, dict):
        return _word(details.get("reason"))
    return "incomplete" if document.get("status") == "incomplete" else None


def _choice(choice: Any, cut: str | None = None) -> Any:
    if not isinstance(choice, dict):
        return choice
    message = _message(choice)
    if isinstance(message, dict):
        calls = _calls(message.get("tool_calls")) or _calls(_old_call(message))
        message = {k: v for k, v in message.items() if k not in _NEVER_ASKED_FOR}
        message |= {"role": "assistant", "tool_calls": calls}
        if not isinstance(message.get("refusal"), str):
            message["refusal"] = _refusal_in(message.get("content"))
        message["content"] = _content(message.get("content"))
        if isinstance(message["content"], str):
            message["content"] = _without_thoughts_cut(message["content"]) or None
    return {
        **{k: v for k, v in choice.items() if k != "logprobs"},
        "index": 0,
        "finish_reason": _finish(choice, cut),
        "message": message,
    }


def _content(content: Any) -> Any:
    """The content of a message as text or a list of parts; a gateway may have parsed the JSON that
    its model wrote, or send the one part without its list."""
    if isinstance(content, list):
        return [_content_part(each) for each in content]
    if content is None or isinstance(content, str):
        return content
    if isinstance(content, dict) and isinstance(content.get("text"), str):
        return content["text"]
    return json.dumps(content, ensure_ascii=False)


def _message(choice: Json) -> Any:
    """The message of a choice. Some servers send it in the form of a stream, or of completions."""
    message = choice.get("message")
    if message is None and isinstance(choice.get("delta"), dict):
        return choice["delta"]
    if message is None and isinstance(choice.get("text"), str):
        return {"content": choice["text"]}
    return message


def _content_part(part: Any) -> Any:
    """A part of content; gateways pass on those of the Responses interface."""
    is_text = isinstance(part, dict) and part.get("type") in ("output_text", "input_text")
    return {"type": "text", "text": _text(part.get("text"))} if is_text else part


def _refusal_in(content: Any) -> str | None:
    """The words of a part of content that refuses."""
    parts = (
        [part for part in content if isinstance(part, dict)] if isinstance(content, list) else ()
    )
    refused = (part.get("refusal") for part in parts if part.get("type") == "refusal")
    return next((words for words in refused if isinstance(words, str) and words), None)


_OPENED, _CLOSED = "<think>", "</think>"


def _without_thoughts_cut(text: str) -> str:
    """The text with both tags around the thoughts of its model, so that they are no answer: servers
    leave out the first one, and an answer that was cut has no second. "" for a blank text; a byte
    order mark before it is no part of it."""
    text = text.removeprefix("\ufeff")
    if _CLOSED in text and _OPENED not in text:
        text = _OPENED + text
    if text.rstrip().endswith(_CLOSED):
        return text.rstrip()
    if text.lstrip().startswith(_OPENED) and _CLOSED not in text:
        return text + _CLOSED
    return text if text.strip() else ""


def _finish(choice: Json, cut: str | None) -> str | None:
    """The finish reason. A gateway that translates it may have the model's own word beside it,
    which counts where the translation says nothing against the answer."""
    word = _reason(choice.get("finish_reason"))
    if word not in (None, "stop"):
        return word
    others = (choice.get("native_finish_reason"), choice.get("finish_details"), cut)
    return next((found for each in others if (found := _reason(each))), word)


def _reason(value: Any) -> str | None:
    """A finish reason, which some servers put into an object."""
    if isinstance(value, dict):
        value = value.get("type") or value.get("reason")
    return _word(value)


_NEVER_ASKED_FOR: Final = ("annotations", "audio", "function_call")


def _old_call(message: Json) -> list[Json]:
    """The call of a message in the form that came before tool calls."""
    function = message.get("function_call")
    return [{"function": function}] if isinstance(function, dict) else []


def _calls(calls: Any) -> list[Json] | None:
    """The tool calls; one without a name gets an empty name, which is no tool: the model is shown
    that, and may ask again."""
    if isinstance(calls, dict):
        calls = list(calls.values())
    return [_call(each) for each in calls] if isinstance(calls, list) and calls else None


def _call(call: Any) -> Json:
    call = call if isinstance(call, dict) else {}
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps({} if arguments is None else arguments)
    function = {
        **function,
        "name": _text(function.get("name")),
        # Servers write no arguments in more than one way.
        "arguments": "{}" if arguments.strip() in ("", "null") else arguments,
    }
    more = {k: v for k, v in call.items() if k != "custom"}
    return {**more, "id": _text(call.get("id")), "type": "function", "function": function}


def _anthropic(document: Json) -> Json:
    content = document.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    return {
        **document,
        "id": _name(document.get("id")),
        "type": "message",
        "role": "assistant",
        "model": _name(document.get("model")),
        "stop_reason": _word(document.get("stop_reason")),
        "content": [block for each in content if (block := _block(each))]
        if isinstance(content, list)
        else [],
        "usage": reported_usage.anthropic_usage(document),
    }


def _block(block: Any) -> Json | None:
    """A block of content; None for one that holds nothing that was asked for."""
    if not isinstance(block, dict):
        return None
    match block.get("type"):
        case "tool_use":
            given = block.get("input")
            given = {} if given is None else given
            if not isinstance(given, dict | str):
                given = json.dumps(given)
            named = {"id": _text(block.get("id")), "name": _text(block.get("name"))}
            return {**block, **named, "input": given}
        case "thinking":
            words = {name: _text(block.get(name)) for name in ("thinking", "signature")}
            return {**block, **words}
        case "redacted_thinking":
            return block if isinstance(block.get("data"), str) else None
    text = block.get("text")
    return {"type": "text", "text": text} if isinstance(text, str) and text.strip() else None


def _google(document: Json) -> Json:
    candidates = document.get("candidates")
    changed: Json = {"usageMetadata": reported_usage.google_usage(document)}
    for name in ("modelVersion", "responseId"):
        changed[name] = _name(document.get(name)) or None
    if isinstance(candidates, list):
        changed["candidates"] = [_candidate(each) for each in candidates if isinstance(each, dict)]
    return document | changed


def _candidate(candidate: Json) -> Json:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    kept = [part for each in parts if (part := _part(each))] if isinstance(parts, list) else []
    word = _word(candidate.get("finishReason"))
    return {**candidate, "finishReason": word, "content": {"role": "model", "parts": kept}}


def _part(part: Any) -> Json | None:
    if not isinstance(part, dict):
        return None
    call = part.get("functionCall")
    if isinstance(call, dict):
        args = call.get("args")
        if isinstance(args, str):
            args = _object_in(args)
        call = {**call, "name": _text(call.get("name")), "args": {} if args is None else args}
        if not isinstance(call.get("id", ""), str):
            call["id"] = _text(call["id"])
        return {**part, "functionCall": call}
    if "text" in part:
        return {**part, "text": _text(part["text"])}
    return part if len(part) else None


def _object_in(text: str) -> Any:
    """The JSON object in a text; the text itself where there is none."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, dict) else text


def _text(value: Any) -> str:
    """An id, a name or another word; empty where there is none."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) in (int, float) else ""


def _name(value: Any) -> str:
    """The id of an answer or the name of its model, which stand in records; empty for one that is
    too long to be one, and for none."""
    found = _text(value)
    return found if len(found) <= _LONGEST_NAME else ""


def _word(value: Any) -> str | None:
    return _text(value) or None
