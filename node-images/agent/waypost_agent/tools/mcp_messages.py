"""What MCP servers send, brought into the form that the library takes. Pure: no I/O.

A call that was made and answered must not count as lost, or as failed, for the form of its answer:
a model that believes it makes the call again.
"""

import json
from typing import Any, Final

import pydantic
from mcp_types import CallToolResult, ContentBlock

from waypost_agent.tools import tool_schemas
from waypost_agent.tools.tool_results import BARE, as_json, as_text

_ERROR_CODE: Final = -32603
_DEEPEST: Final = 150  # levels of JSON
_BLOCK: Final[pydantic.TypeAdapter[Any]] = pydantic.TypeAdapter(ContentBlock)
_INPUT: Final = (
    "the tool did not finish: it asks its client for more input, which an agent cannot give"
)
_OPTIONAL: Final = ("title", "description", "annotations", "outputSchema", "icons", "_meta")


def message(body: bytes, number: Any) -> bytes:
    """The body of an HTTP answer to the request with the id `number`. It is the answer to that
    request whatever id it has, alone or in a batch; a body that is no answer stays as it is."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if isinstance(document, list):
        answers = [each for each in document if _is_answer(each)]
        own = [each for each in answers if each.get("id") == number]
        document = (own or answers or [None])[0]
    if not _is_answer(document):
        return body
    document = as_json(_pruned(document)) | {"jsonrpc": "2.0", "id": number}
    if document.get("error") is not None:
        document.pop("result", None)
        document["error"] = _error(document["error"])
    else:
        document.pop("error", None)
    return json.dumps(document).encode()


def is_answer(body: bytes) -> bool:
    """Whether a body is the answer to a request, or a batch with one."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return any(
        _is_answer(each) for each in (document if isinstance(document, list) else [document])
    )


def _pruned(value: Any, left: int = _DEEPEST) -> Any:
    """The value without what is nested too deep for the library, which would read none of it."""
    if isinstance(value, dict | list) and not left:
        return "[nested too deep, not shown]"
    if isinstance(value, dict):
        return {key: _pruned(each, left - 1) for key, each in value.items()}
    return [_pruned(each, left - 1) for each in value] if isinstance(value, list) else value


def _is_answer(document: Any) -> bool:
    if not isinstance(document, dict) or "method" in document:
        return False
    return document.get("error") is not None or "result" in document


def _error(error: Any) -> dict[str, Any]:
    if not isinstance(error, dict):
        return {"code": _ERROR_CODE, "message": as_text(error)}
    code, words = error.get("code"), error.get("message")
    if not isinstance(words, str):
        words = as_text({k: v for k, v in error.items() if k != "code"} or error)
    more = as_text(error["data"]) if error.get("data") else ""
    if more not in words and len(more) <= _LONGEST_DATA:
        words = f"{words} ({more})"
    number = code if type(code) is int else _ERROR_CODE
    return {**error, "code": number, "message": words if number == code else f"{code}: {words}"}


# What an error says beside its message. A longer text is not cut: a key in it would not be found.
_LONGEST_DATA: Final = 500
_OF_RESULTS: Final = ("content", "structuredContent", "isError", "_meta", "resultType")


def result(raw: dict[str, Any]) -> dict[str, Any]:
    """The result of a call of a tool. What is no content block is described in its place."""
    content = raw.get("content")
    if raw.get("resultType") == "input_required" and not content:
        return {"content": [_text(_INPUT)], "isError": True}
    if content is None:
        content = []
    structured = raw.get("structuredContent")
    other = {key: each for key, each in raw.items() if key not in _OF_RESULTS}
    if not content and structured is None and other:  # of an older or newer protocol
        content = [_text(as_text(other))]
    blocks = [_block(each) for each in (content if isinstance(content, list) else [content])]
    if structured is not None and not isinstance(structured, dict):
        structured = {BARE: structured}
    failed = raw.get("isError")
    if isinstance(failed, str):
        failed = failed.strip().lower() not in ("", "false", "no", "0")
    changed = {"content": blocks, "structuredContent": structured, "isError": bool(failed)}
    kept = {key: each for key, each in raw.items() if key != "_meta" or isinstance(each, dict)}
    kept |= {key: each for key, each in changed.items() if each is not None}
    try:
        CallToolResult.model_validate(kept, by_name=False)
    except pydantic.ValidationError:
        return {key: kept[key] for key in changed if kept.get(key) is not None}
    return kept


def _block(block: Any) -> dict[str, Any]:
    if not isinstance(block, dict):
        return _text(as_text(block))
    if isinstance(block.get("type"), str) and _is_block(block):
        return block
    text = block.get("text")
    if text is not None and block.get("type") in (None, "text"):
        return _text(as_text(text))
    return _text(_described(block))


def _is_block(block: dict[str, Any]) -> bool:
    try:
        _BLOCK.validate_python(block, by_name=False)
    except pydantic.ValidationError:
        return False
    return True


def _described(block: dict[str, Any]) -> str:
    """A block that is of no known kind, or lacks what its kind has."""
    resource = block.get("resource")
    inner = resource if isinstance(resource, dict) else block
    words = {k: v for k, v in inner.items() if k not in ("data", "blob", "type") and v is not None}
    about = f": {as_text(words)[:500]}" if words else ""
    return f"[content of type {block.get('type')}, not shown{about}]"


def _text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def tool(entry: Any) -> Any:
    """An entry of a list of tools without optional fields that are malformed: none of them decides
    whether a model can be given the tool. Without its hints a tool counts as effect once. Its
    inputSchema is brought into form."""
    if not isinstance(entry, dict):
        return entry
    kept = dict(entry)
    for name in _OPTIONAL:
        fits = isinstance(kept.get(name), str if name in ("title", "description") else dict)
        if name == "icons" or (name in kept and not fits):
            kept.pop(name, None)
    if "inputSchema" in kept:
        kept["inputSchema"] = tool_schemas.in_form(kept["inputSchema"])
    return kept
