"""The MCP messages of agents: which pass to a ToolServer, and in which form.

A message is parsed and written again with the fields that are known here, so no two parsers can see
two calls in one body, whatever they make of duplicate, differently written or unknown fields.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from waypost.model_gateway.core import strict_json
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused

CALL: Final = "tools/call"
# What an agent needs. Prompts, resources, sampling and what else servers offer are not used.
_METHODS: Final = frozenset(
    {
        *("initialize", "server/discover", "ping", "tools/list", CALL),
        *("notifications/initialized", "notifications/cancelled", "notifications/progress"),
    }
)
_REQUEST: Final = frozenset({"jsonrpc", "id", "method", "params"})
_ANSWER: Final = frozenset({"jsonrpc", "id", "result", "error"})
_OF_CALL: Final = frozenset({"name", "arguments", "_meta"})


@dataclass(frozen=True)
class Message:
    """A message that may be a part of a session with a ToolServer."""

    fields: Mapping[str, Any]

    @property
    def method(self) -> str:
        """What it asks for; "" for an answer to the server."""
        return str(self.fields.get("method", ""))

    @property
    def tool(self) -> str:
        """The tool that it calls; "" for none."""
        return str(self.fields["params"]["name"]) if self.method == CALL else ""

    @property
    def encoded(self) -> bytes:
        """The bytes that are sent."""
        return _encoded(self.fields)


def message_of(body: bytes, *, tools: Iterable[str], server: str) -> Message:
    """Parse a message. Slow for large ones.

    Args:
        body: What the pod sent.
        tools: The tools of the server that the node may call.
        server: The name of the ToolServer, for messages.

    Raises:
        CallRefused: It is no JSON-RPC message of an agent, or calls another tool.
    """
    fields = _parsed(body)
    if not isinstance(fields, dict):
        found = "a list" if isinstance(fields, list) else type(fields).__name__
        raise _bad(f"expected one JSON-RPC message as the body, a JSON object; found {found}")
    method = fields.get("method")
    if fields.get("jsonrpc") != "2.0":
        raise _bad('expected "jsonrpc": "2.0"')
    if method is None:
        return _answer(fields)
    if not isinstance(method, str) or method not in _METHODS:
        text = f"agents send no messages with method {method!r:.60}"
        raise CallRefused(CallRefusal.MESSAGE, text)
    _only(fields, _REQUEST)
    _check_id(fields, needed=not method.startswith("notifications/"))
    params = fields.get("params", {})
    if not isinstance(params, dict):
        raise _bad("params: expected an object")
    if method == CALL:
        _check_call(params, tools=tools, server=server)
    return Message(fields)


def _check_call(params: dict[str, Any], *, tools: Iterable[str], server: str) -> None:
    _only(params, _OF_CALL, place="params.")
    name, arguments = params.get("name"), params.get("arguments", {})
    if not isinstance(name, str) or name not in tools:
        text = f"the node may not call tool {name!r:.130} of ToolServer {server}: agent.tools"
        raise CallRefused(CallRefusal.TOOL, f"{text} does not allow it")
    if not isinstance(arguments, dict) or not isinstance(params.get("_meta", {}), dict):
        raise _bad("params.arguments and params._meta: expected objects")


def _answer(fields: dict[str, Any]) -> Message:
    """An answer of the client to a request of the server."""
    _only(fields, _ANSWER)
    _check_id(fields, needed=True)
    kinds = [name for name in ("result", "error") if name in fields]
    if len(kinds) != 1 or not isinstance(fields[kinds[0]], dict):
        raise _bad("expected method, or exactly one of result and error")
    return Message(fields)


def _check_id(fields: dict[str, Any], *, needed: bool) -> None:
    if needed != ("id" in fields):
        raise _bad("id: expected one in a request, and none in a notification")
    if needed and (type(fields["id"]) is not int and not isinstance(fields["id"], str)):
        raise _bad("id: expected a string or an integer")


def _only(fields: Mapping[str, Any], known: frozenset[str], *, place: str = "") -> None:
    if unknown := sorted(set(fields) - known):
        text = f"the field {place}{unknown[0]:.60} is not forwarded; agents do not send it"
        raise CallRefused(CallRefusal.FIELD, text)


def _parsed(body: bytes) -> Any:
    try:
        found = strict_json.loads(body.decode())
        _encoded(found)  # lone surrogates, numbers that are too large
    except (ValueError, RecursionError) as error:
        raise _bad(f"the body is not valid JSON: {type(error).__name__}") from None
    return found


def _encoded(fields: Any) -> bytes:
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _bad(text: str) -> CallRefused:
    return CallRefused(CallRefusal.BAD_REQUEST, text)
