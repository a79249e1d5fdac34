"""The probe of tool servers against real MCP servers, over HTTP and stdio."""

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations
from waypost.protocol.probe import TOOL_PREFIX, ProbeReason, Verdict, decode, tools_in
from waypost_agent import discover

from tests.agent import mcp_server
from tests.runner.outside import Answer, answering

CANARY = "Bearer canary-4f0a9b1c77de"


@contextmanager
def serving(server: MCPServer, *, guard: str | None = None) -> Iterator[str]:
    """The server over streamable HTTP; with `guard`, only for that Authorization header."""
    app: Any = server.streamable_http_app()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        given = dict(scope.get("headers", [])).get(b"authorization", b"").decode()
        if scope["type"] != "http" or guard is None or given == guard:
            await app(scope, receive, send)
            return
        text = json.dumps({"error": f"{given or 'nobody'} may not"}).encode()
        start = {"type": "http.response.start", "status": 401}
        await send({**start, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": text})

    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(guarded, log_level="critical", timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)

        def run() -> None:
            asyncio.run(running.serve(sockets=[listening]))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        finally:
            running.should_exit = True
            thread.join(100)


def runbooks() -> MCPServer:
    server = MCPServer("runbooks")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=True))
    def search(words: str, limit: int = 5) -> list[str]:
        """Find runbooks."""
        return [words] * limit

    @server.tool(annotations=ToolAnnotations(destructive_hint=True))
    def erase(name: str) -> None:
        """Erase one."""

    return server


Ask = Callable[..., tuple[Verdict, str]]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Ask:
    """Run the probe on a server's document: the verdict, and what the pod printed."""

    def run(seconds: float = 10.0, **document: Any) -> tuple[Verdict, str]:
        (tmp_path / "probe.json").write_text(
            json.dumps({"v": 1, "timeoutSeconds": seconds, "server": document})
        )
        monkeypatch.setenv("WAYPOST_PROBE_REQUEST", str(tmp_path / "probe.json"))
        monkeypatch.setenv("WAYPOST_OUTPUT", str(tmp_path / "termination-log"))
        assert discover.main() == 0
        found = decode((tmp_path / "termination-log").read_text())
        assert found is not None
        out, err = capfd.readouterr()
        return found, out + err

    return run


def test_the_tools_of_a_server_are_told_with_their_schemas(ask: Ask) -> None:
    with serving(runbooks()) as url:
        verdict, log = ask(url=url)
    assert verdict._replace(digest="") == Verdict(ProbeReason.ANSWERED, "2 tools", found=2, lines=2)
    reported = tools_in(log, verdict)
    assert reported is not None
    assert [tool["name"] for tool in reported] == ["erase", "search"]
    assert reported[0]["annotations"] == {"destructive": True}
    assert reported[1]["annotations"] == {"readOnly": True, "idempotent": True}
    assert reported[1]["description"] == "Find runbooks."
    assert reported[1]["inputSchema"]["properties"]["limit"]["default"] == 5


def test_a_header_from_a_secret_opens_it_and_is_told_nowhere(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(CANARY + "\n")
    with serving(runbooks(), guard=CANARY) as url:
        closed, _ = ask(url=url)
        opened, log = ask(
            url=url,
            headers=[
                {"name": "X-Team", "value": "sre"},
                {"name": "Authorization", "file": str(tmp_path / "key")},
            ],
        )
    assert closed.reason == ProbeReason.UNAUTHORIZED
    assert "answered 401: nobody may not" in closed.message
    assert opened.ok
    assert CANARY.split()[1] not in log + (tmp_path / "termination-log").read_text()


def test_query_parameters_are_sent_and_shown_in_no_message(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "team").write_text("team-canary/1 2")
    query = [{"name": "v", "value": "1"}, {"name": "team", "file": str(tmp_path / "team")}]
    with answering(Answer(status=403, body={"error": "no"})) as server:
        verdict, log = ask(url=server.url + "/mcp", query=query)
    assert server.asked[0][0] == "/mcp?v=1&team=team-canary%2F1+2"
    assert verdict.message.startswith(f"{server.url}/mcp answered 403: no")
    assert "team-canary" not in log + verdict.message


@pytest.mark.parametrize("refused", [False, True], ids=["token", "no token"])
def test_a_token_opens_the_server(refused: bool, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("client-canary")
    body = {"access_token": CANARY.split()[1], "expires_in": 60}
    reply = Answer(status=400, body={"error": "invalid_scope"}) if refused else Answer(body=body)
    with serving(runbooks(), guard=CANARY) as url, answering(reply) as tokens:
        oauth = {
            "tokenUrl": f"{tokens.url}/token",
            "clientId": "me",
            "clientSecretFile": str(tmp_path / "secret"),
        }
        verdict, log = ask(url=url, oauth=oauth)
    assert verdict.ok is not refused
    assert ("invalid_scope" in verdict.message) is refused
    assert "canary" not in log + verdict.message


def test_a_key_that_the_server_echoes_is_struck_out(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(CANARY)
    with serving(runbooks(), guard="another") as url:
        verdict, log = ask(
            url=url, headers=[{"name": "Authorization", "file": str(tmp_path / "key")}]
        )
    assert verdict.reason == ProbeReason.UNAUTHORIZED
    assert "[redacted]" in verdict.message
    assert CANARY.split()[1] not in log + (tmp_path / "termination-log").read_text()


QUERY = {"q": {"type": "string", "default": [CANARY]}}
SHOWING: dict[str, dict[str, Any]] = {
    "description": {"description": f"Call me with Authorization: {CANARY}"},
    "cut-description": {"description": f"{'x' * 495}{CANARY}"},
    "schema": {"inputSchema": {"type": "object", "properties": QUERY}},
}


@pytest.mark.parametrize("where", SHOWING)
def test_a_key_that_a_tool_repeats_reaches_no_status(where: str, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(CANARY)
    tool = {"name": "look", "inputSchema": {"type": "object"}, **SHOWING[where]}
    with mcp_server.serving(methods={"tools/list": {"tools": [tool]}}) as script:
        header = {"name": "Authorization", "file": str(tmp_path / "key")}
        verdict, log = ask(url=script.url, headers=[header])
    assert verdict.ok
    assert "look" in log
    assert CANARY.split()[1][:6] not in log + verdict.message


def test_tools_that_do_not_fit_are_left_out_and_counted(ask: Ask) -> None:
    server = MCPServer("many")
    for number in range(150):

        def tool(text: str) -> str:
            return text

        server.add_tool(tool, name=f"tool_{number:03}", description="x" * 2000)
    with serving(server) as url:
        verdict, log = ask(url=url)
    assert (verdict.found, verdict.message) == (150, "150 tools")
    reported = tools_in(log, verdict)
    assert reported is not None
    assert 50 < len(reported) < 128, "64 KiB are the tighter bound"
    assert sum(line.startswith(TOOL_PREFIX) for line in log.splitlines()) == len(reported)
    assert max(map(len, log.splitlines())) < 16 * 1024, "or the log would tear it"


def test_a_tool_that_no_model_can_be_given_is_left_out_and_named(ask: Ask) -> None:
    tools = [mcp_server.tool("send"), {"name": "merge", "inputSchema": {}}]
    with mcp_server.serving(tools=tools) as server:
        verdict, log = ask(url=server.url)
    assert (verdict.reason, verdict.found) == (ProbeReason.ANSWERED, 1)
    assert verdict.message == "1 tools; merge is left out: inputSchema.type: expected 'object'"
    reported = tools_in(log, verdict)
    assert reported is not None
    assert [each["name"] for each in reported] == ["send"]


def test_a_server_without_tools_is_ready(ask: Ask) -> None:
    with serving(MCPServer("bare")) as url:
        verdict, log = ask(url=url)
    assert (verdict.ok, verdict.found) == (True, 0)
    assert tools_in(log, verdict) == []


ANSWERS = [
    pytest.param(Answer(404, b"Not Found"), ProbeReason.NOT_FOUND, "answered 404", id="404"),
    pytest.param(Answer(403, b"no"), ProbeReason.FORBIDDEN, "answered 403: no", id="403"),
    pytest.param(Answer(502, b""), ProbeReason.UNEXPECTED_ANSWER, "answered 502", id="502"),
    pytest.param(
        Answer(200, b"<html></html>", {"Content-Type": "text/html"}),
        ProbeReason.UNEXPECTED_ANSWER,
        "does not speak MCP",
        id="web-page",
    ),
]


@pytest.mark.parametrize(("answer", "reason", "says"), ANSWERS)
def test_what_is_no_mcp_server_is_said(
    ask: Ask, answer: Answer, reason: ProbeReason, says: str
) -> None:
    with answering(answer) as server:
        verdict, _ = ask(url=server.url + "/mcp")
    assert (verdict.reason, says in verdict.message) == (reason, True), verdict


def test_nobody_there_is_unreachable(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    verdict, _ = ask(url=f"http://127.0.0.1:{port}/mcp")
    assert verdict.reason == ProbeReason.UNREACHABLE
    assert f"127.0.0.1:{port} cannot be reached" in verdict.message


def test_silence_is_unreachable(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        verdict, _ = ask(url=f"http://127.0.0.1:{silent.getsockname()[1]}/mcp", seconds=0.5)
    assert verdict.reason == ProbeReason.UNREACHABLE


PROGRAM = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("clock")
@server.tool()
def now(zone: str) -> str:
    "The time."
    return zone
server.run()
"""


def test_a_program_is_asked_over_stdio(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "clock.py").write_text(PROGRAM)
    verdict, log = ask(command=[sys.executable, str(tmp_path / "clock.py")], seconds=60.0)
    assert verdict.ok, verdict
    reported = tools_in(log, verdict)
    assert reported is not None
    assert [tool["name"] for tool in reported] == ["now"]


PROGRAMS = [
    pytest.param(["no-such-program"], ProbeReason.NOT_FOUND, "no program no-such", id="missing"),
    pytest.param(["false"], ProbeReason.UNEXPECTED_ANSWER, "false is not an MCP server", id="ends"),
    pytest.param(["cat"], ProbeReason.UNEXPECTED_ANSWER, "cat is not an MCP server", id="echo"),
    pytest.param(["sleep", "3600"], ProbeReason.UNREACHABLE, "gave no list of tools", id="silent"),
]


@pytest.mark.parametrize(("command", "reason", "says"), PROGRAMS)
def test_a_program_that_is_no_server_is_said(
    ask: Ask, command: list[str], reason: ProbeReason, says: str
) -> None:
    silent = reason == ProbeReason.UNREACHABLE
    verdict, _ = ask(command=command, seconds=2.0 if silent else 60.0)
    assert (verdict.reason, says in verdict.message) == (reason, True), verdict
