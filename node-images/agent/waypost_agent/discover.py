"""The program of a tool server's probe: lists the tools of an MCP server.

Those that fit are printed, a line each; the operator reads them from the log by their digest.
"""

import sys
from collections.abc import Callable
from typing import Any, Final

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import Tool
from waypost.protocol.probe import ProbeReason, Verdict, lines_digest, tool_lines
from waypost_node import endpoint_access, probe

from waypost_agent.tools import mcp_connection
from waypost_agent.tools.mcp_listing import left_out_text, list_tools

_DESCRIPTION: Final = 512


def main() -> int:
    """Probe the server that the request names; gives the exit code."""
    return probe.run(_ask)


def _ask(request: dict[str, Any], keys: endpoint_access.Keys) -> Verdict:
    document, seconds = request["server"], float(request["timeoutSeconds"])
    if "command" in document:
        return anyio.run(_ask_program, document["command"], keys, seconds)
    return anyio.run(_ask_address, document, keys, seconds)


async def _ask_program(command: list[str], keys: endpoint_access.Keys, seconds: float) -> Verdict:
    server = StdioServerParameters(command=command[0], args=command[1:])
    try:
        return await _listed(Client(server), keys, seconds)
    except FileNotFoundError:
        text = f"the image has no program {command[0]}; name an image that has it in stdio.image"
        return Verdict(ProbeReason.NOT_FOUND, text)
    except TimeoutError:
        text = f"{command[0]} gave no list of tools within {seconds:g} s"
        return Verdict(ProbeReason.UNREACHABLE, f"{text}; the log of this pod has what it printed")
    except Exception as error:  # noqa: BLE001 - groups of whatever a transport raises
        text = f"{command[0]} is not an MCP server, or failed: {mcp_connection.said(error, keys)}"
        hint = "the log of this pod has what it printed"
        return Verdict(ProbeReason.UNEXPECTED_ANSWER, f"{text}; {hint}")


async def _ask_address(
    document: dict[str, Any], keys: endpoint_access.Keys, seconds: float
) -> Verdict:
    url = endpoint_access.address(document["url"])
    refusals = mcp_connection.Refusals()
    async with mcp_connection.client(document, keys, seconds=seconds, refusals=refusals) as http:
        try:
            transport = streamable_http_client(str(url), http_client=http)
            return await _listed(Client(transport), keys, seconds)
        except Exception as error:  # noqa: BLE001 - groups of whatever a transport raises
            return mcp_connection.failure(error, url, refusals, keys)


async def _listed(client: Client, keys: endpoint_access.Keys, seconds: float) -> Verdict:
    """Connect, list, print without `keys`. Raises whatever the library raises, TimeoutError
    after `seconds`."""
    with anyio.fail_after(seconds):
        async with client:
            tools, left_out = await list_tools(client)
    ordered = sorted(tools, key=lambda tool: tool.name)
    lines = tool_lines(_document(tool, keys.redact) for tool in ordered)
    for line in lines:
        print(line)
    sys.stdout.flush()
    return Verdict(
        ProbeReason.ANSWERED,
        f"{len(tools)} tools; {left_out_text(left_out)}" if left_out else f"{len(tools)} tools",
        found=len(tools),
        lines=len(lines),
        digest=lines_digest(lines),
    )


def _document(tool: Tool, redact: Callable[[str], str]) -> dict[str, Any]:
    """A tool as ToolServer status shows it. A server may repeat its key in any text."""
    hints = tool.annotations
    annotations = {
        "readOnly": hints.read_only_hint if hints else None,
        "idempotent": hints.idempotent_hint if hints else None,
        "destructive": hints.destructive_hint if hints else None,
    }
    document = {
        "name": tool.name,
        "description": redact(tool.description or tool.title or "")[:_DESCRIPTION],
        "inputSchema": _redacted(tool.input_schema, redact),
        "annotations": {key: value for key, value in annotations.items() if value is not None},
    }
    return {key: value for key, value in document.items() if value not in (None, "", {})}


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_redacted(item, redact) for item in value]
    if isinstance(value, dict):
        return {redact(key): _redacted(item, redact) for key, item in value.items()}
    return value


if __name__ == "__main__":
    sys.exit(main())
