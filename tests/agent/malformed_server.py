"""A node that makes one call of an MCP server that misbehaves, and the server's bodies."""

import json
from pathlib import Path
from typing import Any

from waypost.protocol.work import WorkFailed

from tests.agent.mcp_server import Body
from tests.agent.pods import Pod
from tests.agent.test_mcp_tools import sends, shown, tools_of
from tests.runner.servers import serving

EVENTS = "text/event-stream"
OK = '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"sent"}]}}'
SENT = {"type": "text", "text": "sent"}
NOTE = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'


def body(instead: str, of: str = "ID", **more: Any) -> Body:
    """A usual answer with something in place of a part of it."""
    return Body(OK.replace(of, instead), **more)


def events(*data: str, **more: Any) -> Body:
    return Body("".join(f"event: message\ndata: {each}\n\n" for each in data), EVENTS, **more)


def asks(method: str) -> Body:
    params = {"messages": [], "maxTokens": 5, "message": "?", "requestedSchema": {}}
    question = {"jsonrpc": "2.0", "id": "q1", "method": method, "params": params}
    return events(json.dumps(question), OK)


def wire(fields: str) -> Body:
    return Body('{"jsonrpc":"2.0","id":ID,' + fields + "}")


def call(folder: Path, script: Any, **more: Any) -> tuple[Any, list[str]]:
    """How a node ends that makes one call, and what its model was shown; the call is `once`."""
    tools = tools_of(script, effect="once", timeoutSeconds=25)
    with serving(*sends(1)) as server:
        result: Any
        try:
            result = Pod(folder, server.url).perform("any", tools=tools, **more)
        except WorkFailed as failed:
            result = failed
    return result, shown(server.asked) if server.asked else []
