"""All tools of a node, of modules and of servers, under names that are one tool's each."""

from contextlib import AsyncExitStack

from pydantic_ai.toolsets import AbstractToolset
from waypost.protocol.reasons import Reason
from waypost_node import endpoint_access

from waypost_agent import functions
from waypost_agent.agent_request import AgentRequest
from waypost_agent.effects import Effects
from waypost_agent.failures import Stopped
from waypost_agent.output import TOOL
from waypost_agent.result_pages import NAME as PAGES
from waypost_agent.tool_names import ToolNames


async def offered(
    work: AgentRequest, keys: endpoint_access.Keys, stack: AsyncExitStack, effects: Effects
) -> tuple[list[AbstractToolset[None]], dict[str, str], ToolNames]:
    """The tools of a node, the servers by name of their tools, and the names that models are given;
    connections live as long as `stack`. Raises Stopped."""
    toolsets: list[AbstractToolset[None]] = []
    sources: list[tuple[str, str]] = []
    servers: dict[str, str] = {}
    for python in work.modules:
        toolsets.append(functions.load(python))
        sources += [(name, f"module {python.module}") for name in python.functions]
    for tools in work.servers:
        # Only here: MCP's libraries would be a second of the start of every agent.
        from waypost_agent import mcp_tools

        toolsets.append(await mcp_tools.connect(tools, keys, stack, effects.of))
        sources += [(name, f"tool server {tools.server}") for name in tools.allow]
        servers |= dict.fromkeys(tools.allow, tools.server)
    _check_names(sources)
    return toolsets, servers, ToolNames(name for name, _ in sources)


def _check_names(sources: list[tuple[str, str]]) -> None:
    taken = {TOOL: "the tool that takes the output", PAGES: "the tool that reads results"}
    for name, source in sources:
        if name in taken:
            text = f"{taken[name]} and {source} both have a tool {name!r}; leave one of them out"
            raise Stopped(Reason.NODE_ERROR, f"agent.tools: {text}")
        taken[name] = source
