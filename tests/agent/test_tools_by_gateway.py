"""An agent whose tool servers are behind the model gateway: the gateway is a real one, and its pod
has no key."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from mcp.server.mcpserver import MCPServer
from waypost.model_gateway.app import build_app
from waypost.ports.cluster import Kind, Obj
from waypost.protocol.reasons import Reason
from waypost_agent.provider import tool_gateway
from waypost_agent.tools import mcp_session

from tests.agent import mcp_server
from tests.agent.mcp_server import Http, Script, text, tool
from tests.agent.pods import Pod, entries
from tests.agent.replies import Call, answer, reply
from tests.model_gateway.place import KEY, TOKEN, Place, place
from tests.runner.servers import Reply, serving
from tests.runner.test_discover import serving as library_server

REFUSED = "the model gateway refused the call"
KEY_REF = {"secretKeyRef": {"name": "keys", "key": "api-key"}}
BEARER = [{"name": "Authorization", "valueFrom": KEY_REF}]
DONE = answer("OpenAI", "done")
SEND = answer("OpenAI", "", Call("send", '{"to": "ann"}', "c0"))


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_session, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(tool_gateway, "FIRST_WAIT", 0.01)


@dataclass
class Gateway:
    """A model gateway on a port of this machine, in a separate thread."""

    url: str
    place: Place
    loop: asyncio.AbstractEventLoop

    def calls(self, reason: str) -> float:
        return self.place.counted(reason, type_="Tools")


def agent_of(*allow: str, **more: Any) -> Obj:
    tools = [{"server": "desk", "allow": list(allow), **more}]
    kind = {"prompt": "Go", "model": {"provider": "scripted", "name": "any"}, "tools": tools}
    return {"nodes": [{"name": "draft", "agent": kind, "isolation": {"egress": "Gateway"}}]}


@contextmanager
def gateway(reached: str, definition: Obj | None = None, **http: Any) -> Iterator[Gateway]:
    """The gateway, with a ToolServer `desk` at `reached` that wants KEY in X-Key."""
    ready = threading.Event()
    found: list[Gateway] = []
    stop: list[uvicorn.Server] = []
    host = reached.split("/")[2]

    async def run() -> None:
        async with place(definition=definition or agent_of("send")) as p:
            p.secret(http.pop("value", KEY), hosts=http.pop("hosts", host))
            headers = [{"name": "X-Key", "valueFrom": KEY_REF}]
            spec = {"http": {"url": reached, "headers": headers, **http}}
            p.put(Kind.TOOL_SERVER, "desk", spec=spec)
            config = uvicorn.Config(
                build_app(p.gateway), host="127.0.0.1", port=0, log_config=None, lifespan="off"
            )
            server = uvicorn.Server(config)
            stop.append(server)
            serve = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            found.append(Gateway(f"http://127.0.0.1:{port}", p, asyncio.get_running_loop()))
            ready.set()
            await serve

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(60), "the gateway did not start"
    try:
        yield found[0]
    finally:
        stop[0].should_exit = True
        thread.join(60)
        assert not thread.is_alive()


def tools_of(folder: Path, there: str, upstream: str, **more: Any) -> list[Any]:
    """What the operator asks of the pod."""
    (folder / "token").write_text(TOKEN)
    return [
        {
            "server": "desk",
            "url": f"{there}/v1/tools/0",
            "tokenFile": str(folder / "token"),
            "upstreamUrl": upstream,
            "allow": ["send"],
            **more,
        }
    ]


def asked_of(script: Script) -> list[dict[str, str]]:
    """The headers of the requests that reached the server."""
    return [{name.lower(): value for name, value in one} for one in script.headers]


@pytest.mark.parametrize("event_stream", [False, True], ids=["json", "events"])
def test_s612_a_tool_is_called_with_a_key_that_the_pod_does_not_have(
    event_stream: bool, tmp_path: Path
) -> None:
    with (
        mcp_server.serving(text("sent"), event_stream=event_stream) as script,
        gateway(script.url) as there,
        serving(SEND, DONE) as models,
    ):
        tools = tools_of(tmp_path, there.url, script.url)
        result = Pod(tmp_path, models.url).perform("any", tools=tools)
    assert result.output == "done"
    assert [e["outcome"] for e in entries(result, "tool")] == ["ok"]
    assert script.calls == [{"to": "ann"}]
    sent = asked_of(script)
    assert {one["x-key"] for one in sent} == {KEY}
    assert not [one for one in sent if TOKEN in str(one)]
    assert KEY not in json.dumps(tools)
    assert there.calls("Answered") >= 3


def test_s612_a_server_of_the_library_of_mcp(tmp_path: Path) -> None:
    """Whatever its version of the protocol asks for passes: sessions, event streams, headers."""
    library = MCPServer("desk")

    @library.tool()
    def send(to: str) -> str:
        """Send a letter."""
        return f"sent to {to}"

    with (
        library_server(library, guard=f"Bearer {KEY}") as url,
        gateway(url, headers=BEARER, value=f"Bearer {KEY}") as there,
        serving(SEND, DONE) as models,
    ):
        tools = tools_of(tmp_path, there.url, url)
        result = Pod(tmp_path, models.url).perform("any", tools=tools)
        asked = json.loads(models.asked[-1].body)["messages"]
    assert [e["outcome"] for e in entries(result, "tool")] == ["ok"]
    assert "sent to ann" in next(each["content"] for each in asked if each["role"] == "tool")
    assert there.calls("Answered") >= 3


def test_s612_a_session_that_ended_is_begun_again(tmp_path: Path) -> None:
    again = answer("OpenAI", "", Call("send", '{"to": "bob"}', "c1"))
    with (
        mcp_server.serving("end-sessions-after", text("two")) as script,
        gateway(script.url) as there,
        serving(SEND, again, DONE) as models,
    ):
        tools = tools_of(tmp_path, there.url, script.url, effects={"send": "once"})
        result = Pod(tmp_path, models.url).perform("any", tools=tools)
    assert result.output == "done"
    assert [call["to"] for call in script.calls] == ["ann", "bob"]
    assert len(script.sessions) == 2


@pytest.mark.parametrize(
    ("http", "words"),
    [
        pytest.param({"hosts": "other.example"}, "(HostNotAllowed)", id="host"),
        pytest.param(
            {"url": "http://169.254.169.254/mcp", "hosts": "169.254.169.254"},
            "(AddressNotAllowed)",
            id="address",
        ),
    ],
)
def test_s615_a_refusal_ends_the_attempt_and_names_the_reason(
    http: Any, words: str, tmp_path: Path
) -> None:
    with (
        mcp_server.serving() as script,
        gateway(script.url, **http) as there,
        serving(DONE) as models,
    ):
        tools = tools_of(tmp_path, there.url, script.url)
        failed = Pod(tmp_path, models.url).fail("any", tools=tools)
    assert failed.reason is Reason.PROVIDER_ERROR
    assert failed.message.startswith(f"tool server desk: {REFUSED} {words}")
    assert script.sessions == []


def test_s613_a_tool_that_the_run_does_not_allow(tmp_path: Path) -> None:
    """A pod that asks for more than the definition of its run."""
    with (
        mcp_server.serving(tools=[tool("send"), tool("drop")]) as script,
        gateway(script.url) as there,
        serving(answer("OpenAI", "", Call("drop", "{}", "c0")), DONE) as models,
    ):
        tools = tools_of(tmp_path, there.url, script.url, allow=["drop"])
        failed = Pod(tmp_path, models.url).fail("any", tools=tools)
    assert "(ToolNotAllowed)" in failed.message
    assert script.calls == []


def _refused(status: int, reason: str) -> Reply:
    error = {"error": {"message": "because", "code": reason}}
    return reply(error, status=status, **{"Waypost-Refused": reason})


@pytest.mark.parametrize(
    ("reason", "status", "shown"),
    [
        pytest.param("NoAnswer", 504, "it is not known whether", id="unknown"),
        pytest.param("TooLarge", 413, "refused the call (TooLarge)", id="not-made"),
        pytest.param("AnswerTooLarge", 413, "the call was made, but has no result", id="made"),
    ],
)
def test_s615_what_the_model_reads_of_a_refusal(
    reason: str, status: int, shown: str, tmp_path: Path
) -> None:
    """Only of those about which a model can do something."""
    with (
        mcp_server.serving(_refusing(status, reason)) as script,
        serving(SEND, DONE) as models,
    ):
        tools = tools_of(tmp_path, script.url.removesuffix("/mcp"), script.url)
        result = Pod(tmp_path, models.url).perform("any", tools=tools)
        asked = json.loads(models.asked[-1].body)["messages"]
    assert [e["outcome"] for e in entries(result, "tool")] == ["error"]
    assert shown in next(each["content"] for each in asked if each["role"] == "tool")
    assert len(script.calls) == 1


def _refusing(status: int, reason: str) -> mcp_server.Body:
    error = json.dumps({"error": {"message": "because", "code": reason}})
    return mcp_server.Body(error, status=status, headers=(("Waypost-Refused", reason),))


def test_s615_a_busy_gateway_is_asked_again(tmp_path: Path) -> None:
    with (
        mcp_server.serving(_refusing(503, "Busy"), _refusing(401, "TokenRefused"), text("x")) as s,
        serving(SEND, DONE) as models,
    ):
        tools = tools_of(tmp_path, s.url.removesuffix("/mcp"), s.url, effects={"send": "once"})
        result = Pod(tmp_path, models.url).perform("any", tools=tools)
    assert [e["outcome"] for e in entries(result, "tool")] == ["ok"]
    assert len(s.calls) == 3


def test_s615_a_gateway_that_is_not_there(tmp_path: Path) -> None:
    with serving(DONE) as models:
        tools = tools_of(tmp_path, "http://127.0.0.1:1", "http://desk.tools:8000/mcp")
        failed = Pod(tmp_path, models.url).fail("any", tools=tools)
    assert failed.reason is Reason.PROVIDER_ERROR
    assert "the model gateway accepts no connection" in failed.message


def test_s615_an_error_of_the_server_names_its_address(tmp_path: Path) -> None:
    with (
        mcp_server.serving(Http(403, "no")) as script,
        gateway(script.url) as there,
        serving(SEND, DONE) as models,
    ):
        tools = tools_of(tmp_path, there.url, script.url)
        Pod(tmp_path, models.url).perform("any", tools=tools)
        asked = json.loads(models.asked[-1].body)["messages"]
    shown = next(each["content"] for each in asked if each["role"] == "tool")
    assert f"{script.url} answered 403: no" in shown
