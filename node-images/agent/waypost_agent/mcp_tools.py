"""The tools of MCP servers: connected before the first model call, the allowed ones offered."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.toolsets import AbstractToolset
from waypost.protocol.probe import Verdict
from waypost.protocol.reasons import Reason
from waypost_node import endpoint_access

from waypost_agent import mcp_connection
from waypost_agent.agent_request import ServerTools
from waypost_agent.failures import Stopped, one_line


async def connect(
    tools: ServerTools, keys: endpoint_access.Keys, stack: AsyncExitStack
) -> AbstractToolset[None]:
    """The allowed tools of a server; the connection lives as long as `stack`.

    Raises Stopped that names the server, when it cannot be reached or lacks an allowed tool.
    """
    refusals: list[Verdict] = []
    try:
        toolset: MCPToolset[None] = MCPToolset(
            _transport(tools, keys, refusals),
            id=tools.server,
            tool_error_behavior="failed",
            init_timeout=tools.timeout,
            read_timeout=tools.timeout,
        )
        await stack.enter_async_context(session(tools.server, toolset))
        names = {tool.name for tool in await toolset.list_tools()}
    except Exception as error:  # noqa: BLE001 - groups of whatever a transport raises
        problem = _problem(tools, error, refusals)
        raise Stopped(Reason.PROVIDER_ERROR, f"tool server {tools.server}: {problem}") from None
    missing = sorted(set(tools.allow) - names)
    if missing:
        listed = ", ".join(sorted(names)[:12]) or "none"
        raise Stopped(
            Reason.MISSING_REFERENCE,
            f"tool server {tools.server} has no tool {missing[0]!r}, which agent.tools allows; it "
            f"has: {listed}",
        )
    allowed = frozenset(tools.allow)
    return toolset.filtered(lambda _, tool: tool.name in allowed)


@asynccontextmanager
async def session(server: str, toolset: MCPToolset[None]) -> AsyncIterator[None]:
    """The session while the context lasts. How it ends changes nothing: by then it is known what
    its calls gave, and a server that hangs up late must not cost an attempt its output."""
    await toolset.__aenter__()
    try:
        yield
    finally:
        try:
            await toolset.__aexit__(None, None, None)
        except Exception as error:  # noqa: BLE001 - groups of whatever a transport raises
            print(f"waypost: tool server {server}: closed with {mcp_connection.said(error)}",
                  file=sys.stderr)  # fmt: skip


def _transport(tools: ServerTools, keys: endpoint_access.Keys, refusals: list[Verdict]) -> Any:
    document = tools.document
    if "command" in document:
        program, *arguments = document["command"]
        # All of the environment: it is what agent.env is for, and holds no key.
        return StdioTransport(program, arguments, env=dict(os.environ), keep_alive=False)
    url = str(endpoint_access.address(document["url"]))
    client = mcp_connection.client(document, keys, seconds=tools.timeout, refusals=refusals)

    made: Any = lambda **_: client  # noqa: E731 - whatever the library offers, ours has its own
    return StreamableHttpTransport(url, httpx_client_factory=made)


def _problem(tools: ServerTools, error: Exception, refusals: list[Verdict]) -> str:
    if isinstance(error, endpoint_access.Unfit):
        return error.verdict.message
    print(f"waypost: tool server {tools.server}: {type(error).__name__}", file=sys.stderr)
    if "url" in tools.document:
        url = httpx2.URL(tools.document["url"])
        return mcp_connection.failure(error, url, refusals).message
    program = tools.document["command"][0]
    if any(isinstance(leaf, FileNotFoundError) for leaf in mcp_connection.leaves(error)):
        return f"the image has no program {program}; name an image that has it in agent.image"
    told = one_line(mcp_connection.said(error))
    return f"{program} is no MCP server, or failed: {told}; the log of this pod has what it printed"
