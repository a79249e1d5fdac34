"""All tools of a node, of modules and of servers, under names that are one tool's each."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from pydantic_ai.toolsets import AbstractToolset
from waypost.protocol.ijson import Json
from waypost.protocol.reasons import Reason
from waypost_node import endpoint_access

from waypost_agent.agent_request import AgentRequest
from waypost_agent.failures import Stopped
from waypost_agent.output import TOOL
from waypost_agent.tools import functions
from waypost_agent.tools.effects import Effects
from waypost_agent.tools.memory import recall
from waypost_agent.tools.result_pages import NAME as PAGES
from waypost_agent.tools.tool_names import ToolNames


@dataclass(frozen=True)
class Offered:
    """The tools of a node.

    Attributes:
        toolsets: All of them.
        servers: The tool server by the name of its tool.
        names: The names that models are given.
        digests: Digests of what servers say of their tools, by the name of the tool.
        result_schemas: Schemas of results that servers declare, by the name of the tool.
    """

    toolsets: list[AbstractToolset[None]]
    servers: dict[str, str]
    names: ToolNames
    digests: dict[str, str]
    result_schemas: dict[str, Json]


async def offered(
    work: AgentRequest, keys: endpoint_access.Keys, stack: AsyncExitStack, effects: Effects
) -> Offered:
    """The tools of a node; connections live as long as `stack`. Raises Stopped."""
    toolsets: list[AbstractToolset[None]] = []
    digests: dict[str, str] = {}
    schemas: dict[str, Json] = {}
    sources: list[tuple[str, str]] = []
    servers: dict[str, str] = {}
    if work.notes is not None:
        toolsets.append(recall.Recall(work.notes))
        sources.append((recall.NAME, "memory of the node"))
    for python in work.modules:
        toolsets.append(functions.load(python))
        sources += [(name, f"module {python.module}") for name in python.functions]
    for tools in work.servers:
        # Only here: MCP's libraries would be a second of the start of every agent.
        from waypost_agent.tools import mcp_tools

        connected = await mcp_tools.connect(tools, keys, stack, effects.of)
        toolsets.append(connected)
        digests |= connected.digests
        schemas |= connected.output_schemas
        sources += [(name, f"tool server {tools.server}") for name in tools.allow]
        servers |= dict.fromkeys(tools.allow, tools.server)
    _check_names(sources)
    return Offered(toolsets, servers, ToolNames(name for name, _ in sources), digests, schemas)


def _check_names(sources: list[tuple[str, str]]) -> None:
    taken = {TOOL: "the tool that takes the output", PAGES: "the tool that reads results"}
    for name, source in sources:
        if name in taken:
            text = f"{taken[name]} and {source} both have a tool {name!r}; leave one of them out"
            raise Stopped(Reason.NODE_ERROR, f"agent.tools: {text}")
        taken[name] = source
