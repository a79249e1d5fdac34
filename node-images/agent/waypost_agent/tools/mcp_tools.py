"""The tools of MCP servers: connected before the first model call, the allowed ones offered."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, NamedTuple

import pydantic
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    PARSE_ERROR,
    REQUEST_TIMEOUT,
    CallToolResult,
    Tool,
)
from pydantic_ai import RunContext
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool
from waypost.protocol.reasons import Reason
from waypost_node import endpoint_access

from waypost_agent.agent_request import ServerTools
from waypost_agent.failures import CallNotMade, OutcomeUnknown, Stopped, one_line
from waypost_agent.provider import tool_gateway
from waypost_agent.tools import mcp_connection, mcp_messages, mcp_session, tool_results
from waypost_agent.tools.mcp_connection import Refusals
from waypost_agent.tools.mcp_listing import Listing, left_out_text, list_tools
from waypost_agent.tools.mcp_session import McpSession
from waypost_agent.tools.result_pages import offered
from waypost_agent.tools.tool_results import Content
from waypost_agent.tools.tool_schemas import definition_digest

_LARGEST_EVENT: Final = 64 * 1024 * 1024  # bytes of one event; a larger result is cut by us
# Of the protocol's session, and of no other that a tool may speak of: the call is made again.
_NO_SESSION: Final = re.compile(
    r"(no|invalid|unknown|missing|expired|bad|no valid|no active|no matching|without a) "
    r"(mcp[- ])?session\b|"
    r"\bsession(-| )?(id)?( header)?( [\w-]{1,80})?( is| has| was| does)?( been)? "
    r"(not found|not exist|expired|terminated|timed out|not active|inactive|"
    r"no longer (active|valid)|"
    r"unknown|invalid|missing|required|closed|gone|not initiali[sz]ed)|"
    r"\b(no|not find|unknown|missing|invalid) (active )?(transport|connection) (found )?for "
    r"(this )?session|\btransport (is )?not (found|initiali[sz]ed)|"
    r"\bnot find (the |your )?session\b|"
    r"server (is )?not initiali[sz]ed|before initiali[sz]ation",
    re.I,
)
# What the library says of a connection that is lost; servers use its code for anything.
_LOST: Final = re.compile(r"Connection closed|SSE stream .*")
# Codes with which the library says that an answer did not come, or cannot be read.
_OF_THE_LIBRARY: Final = frozenset({CONNECTION_CLOSED, PARSE_ERROR, REQUEST_TIMEOUT})
_NO_SESSION_CODES: Final = frozenset({-32600, -32602, -32001})
EffectOf = Callable[[ToolDefinition], str]


async def connect(
    tools: ServerTools, keys: endpoint_access.Keys, stack: AsyncExitStack, effect_of: EffectOf
) -> "McpTools":
    """The allowed tools of a server; the connection lives as long as `stack`.

    Raises Stopped that names the server, when it cannot be reached or lacks an allowed tool.
    """
    refusals = Refusals()
    session = McpSession(
        lambda: _open(tools, keys, refusals),
        server=tools.server,
        keys=keys,
        seconds=tools.timeout,
    )
    stack.push_async_callback(session.close)
    try:
        listing = await _listed(session, refusals)
    except Exception as error:  # noqa: BLE001 - groups of whatever a transport raises
        problem = _problem(tools, error, refusals, keys)
        raise Stopped(Reason.PROVIDER_ERROR, f"tool server {tools.server}: {problem}") from None
    by_name = {tool.name: tool for tool in listing.tools}
    if listing.left_out:
        text = left_out_text(listing.left_out)
        print(f"waypost: tool server {tools.server}: {one_line(text)}", file=sys.stderr)
    for name in tools.allow:
        if name in listing.left_out and name not in by_name:
            text = f"tool server {tools.server}: {name}, which agent.tools allows, is left out: "
            raise Stopped(Reason.MISSING_REFERENCE, text + listing.left_out[name])
        if name not in by_name:
            listed = ", ".join(sorted(by_name)[:12]) or "none"
            raise Stopped(
                Reason.MISSING_REFERENCE,
                f"tool server {tools.server} has no tool {name!r}, which agent.tools allows; it "
                f"has: {listed}",
            )
    allowed = [by_name[name] for name in tools.allow]
    return McpTools(
        tools, allowed, session=session, refusals=refusals, keys=keys, effect_of=effect_of
    )


async def _listed(session: McpSession, refusals: Refusals) -> Listing:
    """Connect, and list the tools. Raises whatever the library raises.

    A server that refuses with an error of MCP is asked again: some serve one client at a time, and
    the probe of a ToolServer may be that client. Nothing was done yet that could be done twice.
    """
    wait = mcp_session.FIRST_WAIT
    for _ in range(mcp_session.TRIES - 1):
        try:
            return await list_tools(await session.start())
        except Exception as error:
            if refusals.last is not None or not _refused_by_server(error):
                raise
        await session.close()
        await asyncio.sleep(wait)
        wait *= 2
    return await list_tools(await session.start())


def _refused_by_server(error: Exception) -> bool:
    return any(
        isinstance(leaf, MCPError) and leaf.code not in _OF_THE_LIBRARY
        for leaf in mcp_connection.leaves(error)
    )


class _Failure(NamedTuple):
    """A call that gave no result. `made`: whether the tool was called, None where that is unknown;
    `session_over`: a new session may help."""

    message: str
    made: bool | None
    session_over: bool = False


class McpTools(AbstractToolset[None]):
    """Tools of one server. A session that the server ended is begun again; a call is repeated only
    where it surely was not made, or where its effect allows it."""

    def __init__(
        self,
        tools: ServerTools,
        allowed: list[Tool],
        *,
        session: McpSession,
        refusals: Refusals,
        keys: endpoint_access.Keys,
        effect_of: EffectOf,
    ) -> None:
        self._tools = tools
        self._session = session
        self._refusals = refusals
        self._keys = keys
        self._effect_of = effect_of
        self._allowed = allowed
        # By the name of the tool: what the server says of its results.
        self.output_schemas = {tool.name: tool.output_schema for tool in allowed}

    @property
    def id(self) -> str:
        """The name of the tool server."""
        return self._tools.server

    @property
    def digests(self) -> dict[str, str]:
        """Digests of what the server says of its tools, by name."""
        found = map(_definition, self._allowed)
        return {
            tool.name: definition_digest(tool.name, tool.description, tool.parameters_json_schema)
            for tool in found
        }

    async def get_tools(self, ctx: RunContext[None]) -> dict[str, ToolsetTool[None]]:
        """The allowed tools, as the server described them when the attempt began."""
        return {tool.name: offered(self, _definition(tool), ctx) for tool in self._allowed}

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Content:
        """The result of a call. Raises ToolFailed, OutcomeUnknown and CallNotMade."""
        repeatable = self._effect_of(tool.tool_def) != "once"
        for left in (True, False):
            client = await self._client()
            try:
                result = await client.call_tool(
                    name, tool_args, read_timeout_seconds=self._tools.timeout
                )
            except Exception as error:  # noqa: BLE001 - groups of whatever a transport raises
                failure = self._failure_of(error, name, tool_args)
            else:
                return _content_of(result, name, self.output_schemas.get(name))
            if failure.session_over:
                self._session.ended(client)
            again = failure.made is False or (failure.made is None and repeatable)
            if not (left and failure.session_over and again):
                break
        if failure.made is None:
            raise OutcomeUnknown(failure.message)
        raise ToolFailed(failure.message)

    async def _client(self) -> Client:
        try:
            return await self._session.live()
        except Exception as error:  # noqa: BLE001 - groups of whatever a transport raises
            problem = _problem(self._tools, error, self._refusals, self._keys)
            raise ToolFailed(f"the call was not made: tool server {self.id}: {problem}") from None

    def _failure_of(self, error: Exception, name: str, arguments: dict[str, Any]) -> _Failure:
        """What an exception of the library means. Raises CallNotMade where the attempt is over."""
        refused = self._refusals.of_call(name, arguments)
        if refused is not None:
            return self._failure_of_http(refused)
        leaf = mcp_connection.leaves(error)[0]
        if isinstance(leaf, pydantic.ValidationError):
            first = leaf.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"]))
            text = f"the call was made, but its result cannot be read: {field}: {first['msg']}"
            return _Failure(text, made=True)
        code = leaf.code if isinstance(leaf, MCPError) else CONNECTION_CLOSED
        if code == CONNECTION_CLOSED and isinstance(leaf, MCPError):
            code = code if _LOST.fullmatch(str(leaf)) else INTERNAL_ERROR
        if code == REQUEST_TIMEOUT and "timed out" in str(leaf):
            return _Failure(f"no answer within {self._tools.timeout:g} s", made=None)
        if code == CONNECTION_CLOSED:
            words = mcp_connection.said(error, self._keys)
            text = f"the connection to tool server {self.id} was lost: {words}"
            return _Failure(text, made=None, session_over=True)
        if code == PARSE_ERROR and str(leaf).startswith("Failed to parse"):  # the library's words
            text = f"the call was made, but the answer of tool server {self.id} cannot be read"
            return _Failure(text, made=True)
        gone = code in _NO_SESSION_CODES and _NO_SESSION.search(str(leaf)) is not None
        words = mcp_connection.said(error, self._keys)
        return _Failure(words, made=not gone, session_over=gone)

    def _failure_of_http(self, refused: mcp_connection.Refused) -> _Failure:
        message, status = refused.verdict.message, refused.status
        if refused.gateway:
            return self._failure_of_gateway(refused.gateway, message)
        if status is None:
            return _Failure(message, made=False, session_over=True)
        if status == 401:
            raise CallNotMade(Reason.PROVIDER_ERROR, f"tool server {self.id}: {message}")
        if status == 404 or (status == 400 and _NO_SESSION.search(refused.words)):
            return _Failure(message, made=False, session_over=True)
        # 202 and what is no MCP answer: the call may have been carried out.
        unknown = status >= 500 or status == 408 or status < 300
        return _Failure(message, made=None if unknown else False)

    def _failure_of_gateway(self, reason: str, message: str) -> _Failure:
        if reason in tool_gateway.UNKNOWN:
            return _Failure(message, made=None)
        if reason in tool_gateway.MADE:
            return _Failure(f"the call was made, but has no result: {message}", made=True)
        if reason in tool_gateway.OF_THE_CALL:
            return _Failure(message, made=False, session_over=reason == "Unreachable")
        raise CallNotMade(Reason.PROVIDER_ERROR, f"tool server {self.id}: {message}")


def _content_of(result: CallToolResult, name: str, schema: Any) -> Content:
    structured = result.structured_content
    content = tool_results.from_mcp(result.content, structured, output_schema=schema)
    if result.is_error:
        described = tool_results.shown(content, inputs=(), limit=0)
        raise ToolFailed(tool_results.error_text(described) or f"tool {name} returned an error")
    return content


def _definition(tool: Tool) -> ToolDefinition:
    hints = tool.annotations
    return ToolDefinition(
        name=tool.name,
        description=tool.description or tool.title,
        parameters_json_schema=tool.input_schema,
        metadata={"annotations": hints.model_dump(by_alias=True) if hints else None},
    )


@asynccontextmanager
async def _open(
    tools: ServerTools, keys: endpoint_access.Keys, refusals: Refusals
) -> AsyncIterator[Client]:
    document = tools.document
    if "command" in document:
        program, *arguments = document["command"]
        # All of the environment: it is what agent.env is for, and holds no key.
        server = StdioServerParameters(command=program, args=arguments, env=dict(os.environ))
        async with Client(server) as client:
            yield _lenient(client)
        return
    url = str(endpoint_access.address(document["url"]))
    http = mcp_connection.client(document, keys, seconds=tools.timeout, refusals=refusals)
    async with http:
        transport = streamable_http_client(url, http_client=http, max_sse_event_size=_LARGEST_EVENT)
        async with Client(transport) as client:
            yield _lenient(client)


def _lenient(client: Client) -> Client:
    """The client, which reads results of tools that are malformed in places: it would refuse the
    whole of a result for one block, and the call was made."""
    dispatcher: Any = client.session._dispatcher
    send = dispatcher.send_raw_request

    async def sent(method: str, *args: Any, **more: Any) -> dict[str, Any]:
        raw = await send(method, *args, **more)
        return mcp_messages.result(raw) if method == "tools/call" else raw

    dispatcher.send_raw_request = sent
    return client


def _problem(
    tools: ServerTools, error: Exception, refusals: Refusals, keys: endpoint_access.Keys
) -> str:
    if isinstance(error, endpoint_access.Unfit):
        return error.verdict.message
    print(f"waypost: tool server {tools.server}: {type(error).__name__}", file=sys.stderr)
    if "url" in tools.document:
        url = mcp_connection.shown_url(tools.document)
        return mcp_connection.failure(error, url, refusals, keys).message
    program = tools.document["command"][0]
    if any(isinstance(leaf, FileNotFoundError) for leaf in mcp_connection.leaves(error)):
        return f"the image has no program {program}; name an image that has it in agent.image"
    words = mcp_connection.said(error, keys)
    hint = "the log of this pod has what it printed"
    return f"{program} is not an MCP server, or failed: {words}; {hint}"
