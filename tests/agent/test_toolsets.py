"""Tools: real MCP servers over HTTP and stdio, and functions of Python modules."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from waypost.protocol.reasons import Reason
from waypost_agent.tools.mcp_session import McpSession
from waypost_node import endpoint_access, modules

from tests.agent.pods import Pod, entries, model_server
from tests.runner.test_discover import serving as mcp_serving

TOKEN = "Bearer mcp-canary-55aa0e"
SCRIPTS = """
scripts:
  search: &search
    turns:
    - call: [{tool: search, arguments: {words: latency}}]
      expect: [{at: tools, contains: search}, {at: tools, lacks: erase}]
    - say: "found ${results.search}"
  search-stdio: *search
  guarded: *search
  forbidden:
    turns:
    - call:
      - {tool: erase, arguments: {name: all}}
      - {tool: search, arguments: {words: latency}}
    - say: sorry
      expect: [{at: results.erase.error, contains: Unknown tool name}]
  failing:
    turns:
    - call: [{tool: broken, arguments: {}}]
    - say: sorry
      expect: [{at: results.broken.error, contains: the disk is full}]
  slow:
    turns:
    - call: [{tool: slow, arguments: {}}]
    - say: sorry
  misfit:
    turns:
    - call: [{tool: add, arguments: {one: many, two: 2}}]
    - call: [{tool: add, arguments: {one: 1, two: 2}}]
    - say: "${results.add}"
  python:
    turns:
    - call: [{tool: add, arguments: {one: 1, two: 2}}, {tool: later, arguments: {}}]
      expect:
      - {at: "body.tools[0].function.description", contains: Add two numbers}
      - {at: "body.tools[0].function.parameters.properties.one.type", equals: integer}
    - say: "${results.add} ${results.later}"
  hostile:
    turns:
    - call: [{tool: leave, arguments: {}}, {tool: shout, arguments: {}}, {tool: odd, arguments: {}},
             {tool: mute, arguments: {}}]
    - say: still here
  hanging:
    turns:
    - call: [{tool: sleep, arguments: {}}]
"""
SOURCE = '''
import sys, time

def add(one: int, two: int = 0) -> int:
    """Add two numbers.

    Args:
        one: The first one.
    """
    return one + two

async def later() -> dict:
    """Later."""
    return {"when": "later"}

def leave() -> None:
    """Leave."""
    sys.exit(3)

def shout() -> str:
    """Shout."""
    print("{" * 5000)
    return "heard"

def odd() -> object:
    """Odd."""
    return object()

class Mute(Exception):
    def __str__(self):
        raise ValueError("no")

def mute() -> None:
    """Mute."""
    raise Mute()

def sleep() -> None:
    """Sleep."""
    time.sleep(12)

def positional(*rest: object) -> None:
    """Untypable."""

NUMBER = 3
'''


def library() -> MCPServer:
    server = MCPServer("library")

    @server.tool()
    def search(words: str) -> str:
        """Find runbooks."""
        return f"runbook of {words}"

    @server.tool()
    def erase(name: str) -> str:
        """Erase one."""
        raise AssertionError("it was called")

    @server.tool()
    def broken() -> str:
        """Broken."""
        raise ToolError("the disk is full")

    @server.tool()
    async def slow() -> str:
        """Slow."""
        import asyncio

        await asyncio.sleep(3)
        return "late"

    return server


STDIO = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("library")
@server.tool()
def search(words: str) -> str:
    return f"runbook of {words}"
@server.tool()
def erase(name: str) -> str:
    return name
server.run()
"""


@pytest.fixture(scope="module")
def models() -> Iterator[str]:
    with model_server(SCRIPTS) as address:
        yield address


@pytest.fixture
def pod(models: str, tmp_path: Path) -> Pod:
    return Pod(tmp_path, models)


@pytest.fixture(scope="module")
def shelf() -> Iterator[str]:
    with mcp_serving(library()) as address:
        yield address


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The workflow's modules, as the runner provides them."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    modules.provide({"kit": SOURCE, "other": SOURCE, "crash": "1 / 0", "leaver": "exit(2)"})
    yield
    for name in ("kit", "other", "crash", "leaver"):
        sys.modules.pop(name, None)


def reported(result: Any) -> list[tuple[str, str, str | None]]:
    return [(e["name"], e["outcome"], e.get("server")) for e in entries(result, "tool")]


def test_tool_over_http_is_called_counted_and_traced(pod: Pod, shelf: str) -> None:
    result = pod.perform("search", tools=[{"server": "lib", "url": shelf, "allow": ["search"]}])
    assert result.output == "found runbook of latency"
    assert reported(result) == [("search", "ok", "lib")]
    assert result.usage is not None
    assert result.usage.tools == {"search": 1}
    assert pod.log("search")["toolCalls"] == {"search": 1}


def test_tool_over_stdio_is_called(pod: Pod, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(STDIO)
    command = [sys.executable, str(tmp_path / "server.py")]
    tools = [{"server": "lib", "command": command, "allow": ["search"]}]
    assert pod.perform("search-stdio", tools=tools).output == "found runbook of latency"


def test_headers_come_from_files_and_are_never_told(
    pod: Pod, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "header").write_text(TOKEN)
    headers = [{"name": "Authorization", "file": str(tmp_path / "header")}]
    with mcp_serving(library(), guard=TOKEN) as url:
        tools = [{"server": "lib", "url": url, "allow": ["search"]}]
        refused = pod.fail("guarded", tools=tools)
        (tmp_path / "wrong").write_text("Bearer wrong-canary-1177")
        wrong = [{"name": "Authorization", "file": str(tmp_path / "wrong")}]
        echoed = pod.fail("guarded", tools=[{**tools[0], "headers": wrong}])
        result = pod.perform("guarded", tools=[{**tools[0], "headers": headers}])
    assert refused.reason is Reason.PROVIDER_ERROR
    assert "tool server lib" in refused.message
    assert "401" in refused.message
    assert result.output == "found runbook of latency"
    assert result.trace is not None
    printed = capfd.readouterr()
    for text in (echoed.message, printed.out, printed.err, json.dumps(result.trace.to_json())):
        assert "canary" not in text


def test_tool_outside_the_allow_list_is_refused_and_visible(pod: Pod, shelf: str) -> None:
    result = pod.perform("forbidden", tools=[{"server": "lib", "url": shelf, "allow": ["search"]}])
    assert result.output == "sorry"
    assert reported(result) == [("erase", "refused", None), ("search", "ok", "lib")]
    assert result.usage is not None
    assert result.usage.reasks == 0
    assert result.usage.tool_calls == 2
    assert pod.log("forbidden")["toolCalls"] == {"erase": 1, "search": 1}


@pytest.mark.parametrize(
    ("script", "tool", "error"),
    [
        pytest.param("failing", "broken", "the disk is full", id="raises"),
        pytest.param(
            "slow",
            "slow",
            "not known whether the call was carried out: no answer within 1 s",
            id="too-slow",
        ),
    ],
)
def test_error_of_a_tool_is_told_to_the_model_and_traced(
    script: str, tool: str, error: str, pod: Pod, shelf: str
) -> None:
    tools = [{"server": "lib", "url": shelf, "allow": [tool], "timeoutSeconds": 1}]
    result = pod.perform(script, tools=tools)
    assert result.output == "sorry"
    [entry] = entries(result, "tool")
    assert entry["outcome"] == "error"
    assert error in entry["error"]


class Rude:
    """A connection that cannot be closed in peace."""

    async def __aenter__(self) -> "Rude":
        return self

    async def __aexit__(self, *_ended: object) -> None:
        raise ExceptionGroup("unhandled errors", [httpx2.ReadTimeout("too late")])


async def test_a_session_that_ends_badly_costs_no_output(
    capfd: pytest.CaptureFixture[str],
) -> None:
    connect: Any = Rude
    session = McpSession(connect, server="lib", keys=endpoint_access.Keys(), seconds=60)
    await session.start()
    await session.close()
    assert "tool server lib: closed with ReadTimeout: too late" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("server", "reason", "message"),
    [
        pytest.param({"url": "http://127.0.0.1:1/mcp"}, Reason.PROVIDER_ERROR,
                     "127.0.0.1:1 cannot be reached", id="nobody-there"),
        pytest.param({"command": ["/no/program"]}, Reason.PROVIDER_ERROR,
                     "no program /no/program", id="no-program"),
        pytest.param({"command": ["true"]}, Reason.PROVIDER_ERROR, "true is not an MCP server",
                     id="no-server"),
    ],
)  # fmt: skip
def test_server_that_cannot_be_reached_is_named(
    server: dict[str, Any], reason: Reason, message: str, pod: Pod
) -> None:
    failed = pod.fail("search", tools=[{"server": "lib", "allow": ["search"], **server}])
    assert failed.reason is reason
    assert failed.message.startswith("tool server lib: ")
    assert message in failed.message


def test_allowed_tool_that_the_server_lacks_is_named(pod: Pod, shelf: str) -> None:
    failed = pod.fail("search", tools=[{"server": "lib", "url": shelf, "allow": ["serch"]}])
    assert failed.reason is Reason.MISSING_REFERENCE
    assert "tool server lib has no tool 'serch'" in failed.message
    assert "search" in failed.message


@pytest.mark.usefixtures("code")
def test_functions_are_tools_with_schemas_from_their_signatures(pod: Pod) -> None:
    result = pod.perform("python", tools=[{"module": "kit", "functions": ["add", "later"]}])
    assert result.output == '3 {"when":"later"}'
    assert sorted(reported(result)) == [("add", "ok", None), ("later", "ok", None)]


@pytest.mark.usefixtures("code")
def test_arguments_that_do_not_fit_are_told_and_traced(pod: Pod) -> None:
    result = pod.perform("misfit", tools=[{"module": "kit", "functions": ["add"]}])
    assert result.output == "3"
    assert reported(result) == [("add", "error", None), ("add", "ok", None)]
    assert "$.one: Input should be a valid integer" in entries(result, "tool")[0]["error"]
    assert result.usage is not None
    assert (result.usage.tool_calls, result.usage.reasks) == (2, 0)


@pytest.mark.usefixtures("code")
def test_no_function_can_end_the_loop(pod: Pod) -> None:
    names = ["leave", "shout", "odd", "mute"]
    result = pod.perform("hostile", tools=[{"module": "kit", "functions": names}])
    assert result.output == "still here"
    outcomes = {entry["name"]: entry.get("error") for entry in entries(result, "tool")}
    assert outcomes == {
        "leave": "SystemExit: it called exit(3); return the result instead",
        "shout": None,
        "odd": None,
        "mute": "Mute: (its text cannot be read)",
    }


@pytest.mark.usefixtures("code")
def test_function_that_hangs_costs_no_account(pod: Pod) -> None:
    failed = pod.fail("hanging", tools=[{"module": "kit", "functions": ["sleep"]}], seconds=8.0)
    assert failed.reason is Reason.TIMEOUT
    assert failed.usage is not None
    assert failed.usage.tools == {"sleep": 1}
    assert reported(failed) == [("sleep", "error", None)]


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize(
    ("tools", "message"),
    [
        pytest.param([("kit", "add"), ("other", "add")], "module kit and module other both",
                     id="clash"),
        pytest.param([("kit", "sub")], "module 'kit' has no function 'sub'; it has",
                     id="no-function"),
        pytest.param([("kit", "NUMBER")], "no function 'NUMBER'", id="no-callable"),
        pytest.param([("nowhere", "add")], "has a module 'nowhere'", id="no-module"),
        pytest.param([("crash", "add")], "importing 'crash' failed: ZeroDivisionError", id="crash"),
        pytest.param([("leaver", "add")], "importing 'leaver' failed: SystemExit", id="exit"),
    ],
)  # fmt: skip
def test_modules_that_make_no_tools(tools: list[tuple[str, str]], message: str, pod: Pod) -> None:
    wanted = [{"module": module, "functions": [name]} for module, name in tools]
    failed = pod.fail("python", tools=wanted)
    assert failed.reason is Reason.NODE_ERROR
    assert message in failed.message
