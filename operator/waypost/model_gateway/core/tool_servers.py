"""Which ToolServer a request of an agent is for, and which headers pass."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.kinds.agent import Tools
from waypost.kube.egress.forwarded import may_be_sent
from waypost.model_gateway.core.messages import Message
from waypost.model_gateway.core.nodes import node_at, require_gateway, spec_of
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused

_FROM_POD: Final = frozenset(
    {"accept", "content-type", "last-event-id", "mcp-protocol-version", "mcp-session-id"}
)
# Servers find out by them where a message goes, without reading it: they must be as the message.
_METHOD: Final = "mcp-method"
_NAME: Final = "mcp-name"
_PARAMETER: Final = "mcp-param-"
_TO_POD: Final = frozenset(
    {"content-type", "mcp-protocol-version", "mcp-session-id", "request-id", "retry-after"}
)
_LONGEST: Final = 8192


def tools_at(definition: JsonObject, *, path: str, position: int) -> Tools:
    """The entry of `agent.tools` with a ToolServer.

    Args:
        definition: The spec of the run, with what it took from its template.
        path: The path of the node.
        position: Which of the entries, from 0.

    Raises:
        CallRefused: The node is no agent whose tool servers the gateway calls, or has no such one.
    """
    spec = spec_of(definition)
    name, node = node_at(spec, path)
    if node is None or node.agent is None:
        text = f"node {name} is no agent; only agents call tool servers"
        raise CallRefused(CallRefusal.CALLER, text)
    require_gateway(spec, node, passes="its messages pass")
    tools = node.agent.tools or []
    if not 0 <= position < len(tools) or tools[position].server is None:
        text = f"agent.tools of node {name} has no ToolServer at position {position}"
        raise CallRefused(CallRefusal.PATH, text)
    return tools[position]


@dataclass(frozen=True)
class Sent:
    """The headers of a request to a tool server, in the order of their precedence.

    Attributes:
        given: Those of the pod.
        own: Those of the ToolServer.
        token: The OAuth token; "" without one.
        identity: Those that say who calls.
    """

    given: Iterable[tuple[str, str]]
    own: Mapping[str, str]
    token: str
    identity: Mapping[str, str]

    def headers(self, message: Message | None) -> list[tuple[str, str]]:
        """All headers; `message` is the body, None without one."""
        sent = {"user-agent": "waypost"}
        sent |= {name.lower(): value for name, value in self.own.items() if may_be_sent(name)}
        sent |= _from_pod(self.given, message)
        if self.token:
            sent["authorization"] = f"Bearer {self.token}"
        sent |= self.identity
        return [*sent.items(), ("accept-encoding", "identity")]  # what is searched is sent on


def to_pod(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers of the answer for the pod."""
    return {name.lower(): value for name, value in given if name.lower() in _TO_POD}


def _from_pod(given: Iterable[tuple[str, str]], message: Message | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in given:
        if len(value) > _LONGEST:
            raise CallRefused(CallRefusal.BAD_REQUEST, f"the header {name:.60} is too long")
        if name in _FROM_POD or (name.startswith(_PARAMETER) and message and message.tool):
            found[name] = value
        elif name == _METHOD and message is not None and message.method:
            found[name] = message.method
        elif name == _NAME and message is not None and message.tool:
            found[name] = _in_header(message.tool)
    return found


def _in_header(text: str) -> str:
    """A name as MCP writes it into a header: encoded if it has other than printable ASCII."""
    if text.isascii() and text.isprintable() and text == text.strip() and text[:2] != "=?":
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="
