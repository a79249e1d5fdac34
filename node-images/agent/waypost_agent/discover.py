"""The program of a tool server's probe: which tools an MCP server has.

Those that fit are printed, a line each; the operator reads them from the log by their digest.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import Tool
from waypost.protocol.probe import ProbeReason, Verdict, lines_digest, tool_lines
from waypost_node import probe, reach

_PAGES: Final = 50
_DESCRIPTION: Final = 512


def main() -> int:
    """Probe the server that the request names; gives the exit code."""
    return probe.run(_ask)


def _ask(request: dict[str, Any], keys: reach.Keys) -> Verdict:
    document, seconds = request["server"], float(request["timeoutSeconds"])
    if "command" in document:
        return anyio.run(_ask_program, document["command"], seconds)
    return anyio.run(_ask_address, document, keys, seconds)


async def _ask_program(command: list[str], seconds: float) -> Verdict:
    server = StdioServerParameters(command=command[0], args=command[1:])
    try:
        return await _listed(Client(server), seconds)
    except FileNotFoundError:
        text = f"the image has no program {command[0]}; name an image that has it in stdio.image"
        return Verdict(ProbeReason.NOT_FOUND, text)
    except TimeoutError:
        text = f"{command[0]} gave no list of tools within {seconds:g} s"
        return Verdict(ProbeReason.UNREACHABLE, f"{text}; the log of this pod has what it printed")
    except Exception as error:  # noqa: BLE001 - groups of whatever a transport raises
        text = f"{command[0]} is no MCP server, or failed: {_said(error)}"
        hint = "the log of this pod has what it printed"
        return Verdict(ProbeReason.UNEXPECTED_ANSWER, f"{text}; {hint}")


async def _ask_address(document: dict[str, Any], keys: reach.Keys, seconds: float) -> Verdict:
    url = reach.address(document["url"])
    refusals: list[Verdict] = []
    async with _http(document, keys, seconds, refusals) as http:
        try:
            transport = streamable_http_client(str(url), http_client=http)
            return await _listed(Client(transport), seconds)
        except Exception as error:  # noqa: BLE001 - groups of whatever a transport raises
            return _failure(error, url, refusals)


@asynccontextmanager
async def _http(
    document: dict[str, Any], keys: reach.Keys, seconds: float, refusals: list[Verdict]
) -> AsyncIterator[httpx2.AsyncClient]:
    """The client of all requests. What a POST is refused with is put into `refusals`, because
    the MCP library tells it in words only. Raises Unfit."""

    async def note(answer: httpx2.Response) -> None:
        if answer.request.method == "POST" and answer.status_code >= 300:
            body = await answer.aread()
            said = reach.said_in(body)
            refusals.append(reach.refused(answer.status_code, said, answer.request.url))

    headers = httpx2.Headers({"User-Agent": "waypost"})
    for header in document.get("headers", []):
        headers[header["name"]] = keys.read(header["file"]) if "file" in header else header["value"]
    async with httpx2.AsyncClient(
        headers=headers,
        verify=reach.trust(document.get("caFile")),
        timeout=seconds,
        event_hooks={"response": [note]},
    ) as client:
        yield client


async def _listed(client: Client, seconds: float) -> Verdict:
    """Connect, list, print. Raises whatever the library raises, TimeoutError after `seconds`."""
    tools: list[Tool] = []
    with anyio.fail_after(seconds):
        async with client:
            cursor: str | None = None
            for _ in range(_PAGES):
                page = await client.list_tools(cursor=cursor)
                tools += page.tools
                cursor = page.next_cursor
                if not cursor:
                    break
    lines = tool_lines(_told(tool) for tool in sorted(tools, key=lambda tool: tool.name))
    for line in lines:
        print(line)
    sys.stdout.flush()
    return Verdict(
        ProbeReason.ANSWERED,
        f"{len(tools)} tools",
        found=len(tools),
        lines=len(lines),
        digest=lines_digest(lines),
    )


def _told(tool: Tool) -> dict[str, Any]:
    hints = tool.annotations
    annotations = {
        "readOnly": hints.read_only_hint if hints else None,
        "idempotent": hints.idempotent_hint if hints else None,
        "destructive": hints.destructive_hint if hints else None,
    }
    told = {
        "name": tool.name,
        "description": (tool.description or tool.title or "")[:_DESCRIPTION],
        "inputSchema": tool.input_schema,
        "annotations": {key: value for key, value in annotations.items() if value is not None},
    }
    return {key: value for key, value in told.items() if value not in (None, "", {})}


def _failure(error: BaseException, url: httpx2.URL, refusals: list[Verdict]) -> Verdict:
    for leaf in _leaves(error):
        if isinstance(leaf, httpx2.ConnectError | httpx2.TimeoutException | TimeoutError):
            return reach.unreachable(leaf, url)
    if refusals:
        return refusals[-1]
    for leaf in _leaves(error):
        if isinstance(leaf, httpx2.HTTPError):
            return reach.unreachable(leaf, url)
    hint = "look at the path: many servers answer at /mcp"
    text = f"{url} does not speak MCP over streamable HTTP: {_said(error)}; {hint}"
    return Verdict(ProbeReason.UNEXPECTED_ANSWER, text)


def _said(error: BaseException) -> str:
    leaf = next(iter(_leaves(error)))
    name = "" if isinstance(leaf, MCPError) else f"{type(leaf).__name__}: "
    return f"{name}{leaf}"[:300]


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


if __name__ == "__main__":
    sys.exit(main())
