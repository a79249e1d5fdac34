"""The tools that an MCP server lists, each judged by itself: one that no model could be given is
left out and named, and the others can be used. For the probe and for the loop alike."""

from typing import Any, Final, NamedTuple

import pydantic
from mcp import Client
from mcp_types import ListToolsRequest, ListToolsResult, PaginatedRequestParams, Tool

from waypost_agent.tools import mcp_messages, tool_schemas
from waypost_agent.validation_errors import first_problem

_PAGES: Final = 50


class Listing(NamedTuple):
    """`tools` can be used; `left_out` says by name why others cannot."""

    tools: list[Tool]
    left_out: dict[str, str]


async def list_tools(client: Client) -> Listing:
    """All tools of a server. Raises whatever the library raises."""
    tools: dict[str, Tool] = {}
    left_out: dict[str, str] = {}
    cursors: set[str] = set()
    cursor: str | None = None
    while True:
        page = await _page(client, cursor)
        listed = page.get("tools")
        if not isinstance(listed, list):
            raise ValueError("its answer to tools/list has no list of tools")
        for index, each in enumerate(map(mcp_messages.tool, listed)):
            name = _name(each, index)
            problem = "its name is listed twice" if name in tools else _problem(each)
            if problem is None:
                tools[name] = Tool.model_validate(each, by_name=False)
            elif name not in tools or each != _entry(tools[name]) or not cursors:
                # Pages overlap where tools come and go while they are read.
                left_out.setdefault(name, problem)
        cursor = page.get("nextCursor")
        if not isinstance(cursor, str) or not cursor or cursor in cursors:
            break
        cursors.add(cursor)
        if len(cursors) >= _PAGES:
            left_out[f"what comes after page {_PAGES}"] = "no more pages are read"
            break
    return Listing(_absorbed(client, list(tools.values())), left_out)


def left_out_text(left_out: dict[str, str]) -> str:
    """`merge is left out: ...`, for a message; empty for none."""
    shown = [f"{name} is left out: {problem}" for name, problem in sorted(left_out.items())[:5]]
    more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
    return "; ".join(shown) + more


async def _page(client: Client, cursor: str | None) -> dict[str, Any]:
    """One page as it came: the library's own list_tools refuses a list for one of its entries."""
    session = client.session
    params = None if cursor is None else PaginatedRequestParams(cursor=cursor)
    request = ListToolsRequest(params=params)
    data = request.model_dump(by_alias=True, mode="json", exclude_none=True)
    options: Any = {}
    session._stamp(data, options)
    return await session._dispatcher.send_raw_request(data["method"], data.get("params"), options)


def _absorbed(client: Client, tools: list[Tool]) -> list[Tool]:
    """The tools that the library finds fit for this session. A result is not held to the
    outputSchema of its tool: the call was made, and its result is better than none."""
    session = client.session
    kept = session._absorb_tool_listing(ListToolsResult(tools=tools), complete=True).tools
    session._tool_output_schemas = dict.fromkeys(tool.name for tool in kept)
    return kept


def _entry(tool: Tool) -> dict[str, Any]:
    return tool.model_dump(by_alias=True, mode="json", exclude_unset=True)


def _name(entry: Any, index: int) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) and name else f"tools[{index}]"


def _problem(entry: Any) -> str | None:
    """Why an entry of the list is no tool that a model can be given; None for one that is."""
    try:
        tool = Tool.model_validate(entry, by_name=False)
    except pydantic.ValidationError as error:
        return first_problem(error)
    if not tool.name:
        return "it has no name"
    return tool_schemas.problem_of(tool.input_schema)
