"""Messages of agents to tool servers: the gateway adds the key; only what nodes may ask passes."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from waypost.kube.egress.addresses import AddressRules
from waypost.model_gateway.core.leaks import Redaction, forms_of
from waypost.model_gateway.core.messages import message_of
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused
from waypost.model_gateway.core.tool_servers import tools_at
from waypost.model_gateway.upstream import Times
from waypost.ports.cluster import Kind, Obj, Rejected

from tests.fakes.api.deletion import Deletion
from tests.model_gateway.place import KEY, TOKEN, Place, place

PATH = "/v1/tools/1"
KEY_REF: Obj = {"name": "keys", "key": "api-key"}
BEARER: Obj = {"name": "Authorization", "valueFrom": {"secretKeyRef": KEY_REF}}
RESULT: Obj = {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}


def agent(isolation: Obj | None = None) -> Obj:
    """The agent `draft` with a module and two ToolServers."""
    tools = [
        {"module": "desk", "functions": ["look"]},
        {"server": "mail", "allow": ["send", "find"]},
        {"server": "clock", "allow": ["now"]},
    ]
    kind = {"prompt": "Go", "model": {"provider": "scripted", "name": "small"}, "tools": tools}
    node = {"name": "draft", "agent": kind, "isolation": isolation or {"egress": "Gateway"}}
    return {"nodes": [node]}


def message(method: str = "tools/list", params: Any = None, **fields: Any) -> Obj:
    """A JSON-RPC request."""
    given = {} if params is None else {"params": params}
    return {"jsonrpc": "2.0", "id": 1, "method": method, **given, **fields}


def calling(tool: str = "send", **arguments: Any) -> Obj:
    """A call of a tool."""
    return message("tools/call", {"name": tool, "arguments": arguments})


def without(fields: Obj, name: str) -> Obj:
    return {key: value for key, value in fields.items() if key != name}


@asynccontextmanager
async def serving(
    *, http: Obj | None = None, definition: Obj | None = None, **around: Any
) -> AsyncIterator[Place]:
    """The agent is in progress; its ToolServer `mail` is the provider of the place."""
    async with place(definition=definition or agent(), **around) as p:
        p.secret(f"Bearer {KEY}")
        server(p, **(http or {}))
        p.put(Kind.TOOL_SERVER, "clock", spec={"stdio": {"command": ["clock"]}})
        p.provider.handler = answered
        yield p


def server(p: Place, *, timeout: str | None = None, **http: Any) -> None:
    made = {"url": f"http://{p.provider.host}/mcp", "headers": [BEARER], **http}
    given = {key: value for key, value in made.items() if value is not None}
    p.put(
        Kind.TOOL_SERVER, "mail", spec={"http": given, **({"timeout": timeout} if timeout else {})}
    )


async def answered(request: web.Request) -> web.StreamResponse:
    return web.json_response(RESULT, headers={"Mcp-Session-Id": "s-1", "set-cookie": "a=b"})


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.headers.get("waypost-refused", "")


async def test_s612_the_key_is_added_and_the_session_comes_back() -> None:
    query = [{"name": "team", "value": "a b"}]
    async with serving(http={"query": query}) as p:
        sent = {
            "accept": "application/json, text/event-stream",
            "mcp-session-id": "s-0",
            "mcp-protocol-version": "2025-11-25",
            "mcp-method": "ping",
            "mcp-name": "another",
            "mcp-param-to": "ann",
        }
        answer = await p.call(PATH, calling(to="ann"), **sent)
        assert answer.status_code == 200, answer.text
        assert answer.json() == RESULT
        assert answer.headers["mcp-session-id"] == "s-1"
        assert "set-cookie" not in answer.headers
        [(request, body)] = p.provider.calls
        assert (request.method, request.path_qs) in [("POST", "/mcp?team=a+b")]
        assert json.loads(body) == calling(to="ann")
        found = {name.lower(): value for name, value in request.headers.items()}
        assert found["authorization"] == f"Bearer {KEY}"
        kept = {name: found[name] for name in sent}
        assert kept == {**sent, "mcp-method": "tools/call", "mcp-name": "send"}
        assert TOKEN not in str(request.headers)
        assert p.counted("Answered", type_="Tools") == 1


async def test_s612_nothing_that_the_pod_sends_along_passes() -> None:
    async with serving() as p:
        sent = {
            "host": "elsewhere",
            "cookie": "a=b",
            "x-forwarded-for": "10.0.0.1",
            "waypost-node": "other",
            "x-waypost-run": "other",
            "x-api-key": "theirs",
            "proxy-authorization": "theirs",
            "user-agent": "theirs",
            "connection": "x-hop",
            "x-hop": "1",
            "accept-encoding": "gzip",
        }
        assert (await p.call(PATH, calling(), **sent)).status_code == 200
        [(request, _)] = p.provider.calls
        assert request.headers["host"] == p.provider.host
        assert request.headers["accept-encoding"] == "identity"
        assert request.headers["user-agent"] == "waypost"
        ours = {"host", "accept-encoding", "connection", "user-agent"}
        assert not {name.lower() for name in request.headers} & (set(sent) - ours)


@pytest.mark.parametrize("identity", [True, False])
async def test_s612_who_calls(identity: bool) -> None:
    """As for calls of models: a ToolServer cannot set these headers for a listed host."""
    own = [{"name": "X-Waypost-Run", "value": "forged"}]
    async with serving(http={"headers": own}, identity=identity) as p:
        assert (await p.call(PATH, calling())).status_code == 200
        [(request, _)] = p.provider.calls
        assert request.headers["x-waypost-run"] == ("brief" if identity else "forged")
        assert ("x-waypost-node" in request.headers) == identity


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(message("initialize", {"protocolVersion": "2025-11-25"}), id="initialize"),
        pytest.param(message("server/discover"), id="discover"),
        pytest.param(message("ping", id="text"), id="ping"),
        pytest.param(message("tools/list", {"cursor": "2"}), id="list"),
        pytest.param(calling(), id="call"),
        pytest.param(without(message("notifications/initialized"), "id"), id="notification"),
        pytest.param({"jsonrpc": "2.0", "id": 1, "result": {}}, id="answer"),
        pytest.param({"jsonrpc": "2.0", "id": 1, "error": {"code": 1}}, id="error"),
    ],
)
async def test_s612_messages_of_an_agent_pass(sent: Obj) -> None:
    async with serving() as p:
        assert (await p.call(PATH, sent)).status_code == 200
        assert [json.loads(body) for _, body in p.provider.calls] == [sent]


CALL = json.dumps(calling())


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(calling("drop"), "ToolNotAllowed", id="other-tool"),
        pytest.param(calling("SEND"), "ToolNotAllowed", id="other-case"),
        pytest.param(message("tools/call"), "ToolNotAllowed", id="no-tool"),
        pytest.param(message("tools/call", {"name": ["send"]}), "ToolNotAllowed", id="list-name"),
        pytest.param(message("resources/read"), "MessageNotAllowed", id="resources"),
        pytest.param(message("Tools/call"), "MessageNotAllowed", id="method-case"),
        pytest.param(message("sampling/createMessage"), "MessageNotAllowed", id="sampling"),
        pytest.param(message("tools/call\u0000"), "MessageNotAllowed", id="method-nul"),
        pytest.param([calling("drop")], "BadRequest", id="batch"),
        pytest.param([], "BadRequest", id="empty-batch"),
        pytest.param({**message("ping"), "Method": "tools/call"}, "FieldNotAllowed", id="case"),
        pytest.param({**message("ping"), "result": {}}, "FieldNotAllowed", id="both"),
        pytest.param(
            message("tools/call", {"name": "send", "Name": "drop"}), "FieldNotAllowed", id="params"
        ),
        pytest.param(
            message("tools/call", {"name": "send", "task": {}}), "FieldNotAllowed", id="task"
        ),
        pytest.param({"jsonrpc": "2.0", "id": 1, "METHOD": "x"}, "FieldNotAllowed", id="upper"),
        pytest.param({"jsonrpc": "2.0", "id": 1}, "BadRequest", id="neither"),
        pytest.param(
            {"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}}, "BadRequest", id="two-answers"
        ),
        pytest.param(without(calling(), "id"), "BadRequest", id="call-without-id"),
        pytest.param(message(id=None), "BadRequest", id="null-id"),
        pytest.param(message(id=True), "BadRequest", id="boolean-id"),
        pytest.param(message("notifications/cancelled"), "BadRequest", id="notification-with-id"),
        pytest.param(message(jsonrpc="1.0"), "BadRequest", id="version"),
        pytest.param(message(params=[1]), "BadRequest", id="params-list"),
        pytest.param(
            message("tools/call", {"name": "send", "arguments": [1]}), "BadRequest", id="arguments"
        ),
        pytest.param(f'{CALL[:-1]},"method":"ping"}}'.encode(), "BadRequest", id="method-twice"),
        pytest.param(
            CALL.replace('"name"', '"name":"drop","name"').encode(), "BadRequest", id="name-twice"
        ),
        pytest.param(f"{CALL}{CALL}".encode(), "BadRequest", id="two-documents"),
        pytest.param(f"{CALL}\n{CALL}".encode(), "BadRequest", id="lines"),
        pytest.param(CALL.encode("utf-16"), "BadRequest", id="utf-16"),
        pytest.param(b"", "BadRequest", id="empty"),
        pytest.param(b'"tools/call"', "BadRequest", id="text"),
        pytest.param(b"[" * 100_000, "BadRequest", id="deep"),
        pytest.param(b'{"jsonrpc":"2.0","id":1e999}', "BadRequest", id="infinite"),
        pytest.param(b'{"jsonrpc":"2.0","id":"\\ud800"}', "BadRequest", id="surrogate"),
    ],
)
async def test_s613_what_no_agent_sends(sent: Any, reason: str) -> None:
    """No two parsers see two calls in one body."""
    async with serving() as p:
        answer = await p.call(PATH, sent)
        assert refusal(answer) == (400 if reason == "BadRequest" else 403, reason)
        assert p.provider.calls == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("/v1/tools/0", "PathNotAllowed", id="module"),
        pytest.param("/v1/tools/2", "PathNotAllowed", id="program"),
        pytest.param("/v1/tools/3", "PathNotAllowed", id="none"),
        pytest.param("/v1/tools/99", "PathNotAllowed", id="far"),
        pytest.param("/v1/tools/-1", "PathNotAllowed", id="negative"),
        pytest.param("/v1/tools/mail", "PathNotAllowed", id="name"),
        pytest.param("/v1/tools/\u0661", "PathNotAllowed", id="other-digit"),
        pytest.param("/v1/tools/1?url=http://evil", "PathNotAllowed", id="query"),
    ],
)
async def test_s613_another_server(path: str, reason: str) -> None:
    async with serving() as p:
        assert refusal(await p.call(path, calling())) == (403, reason)
        assert p.provider.calls == []


@pytest.mark.parametrize("path", ["/v1/tools", "/v1/tools/1/admin", "/v1/tools/1/../1/x"])
async def test_s613_a_path_that_is_none(path: str) -> None:
    async with serving() as p:
        assert (await p.call(path, calling())).status_code in (404, 405)
        assert p.provider.calls == []


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        pytest.param(agent({"egress": "AllowList"}), "AllowList", id="allow-list"),
        pytest.param({"nodes": [{"name": "a", "wait": {}}]}, "is no agent", id="gone"),
        pytest.param({"nodes": 7}, "cannot be read", id="damaged"),
        pytest.param(
            {"nodes": [{"name": "draft", "http": {"url": "http://h.example/"}}]},
            "is no agent",
            id="http",
        ),
    ],
)
def test_s613_a_node_whose_servers_the_gateway_does_not_call(definition: Obj, words: str) -> None:
    with pytest.raises(CallRefused, match=words) as refused:
        tools_at(definition, path="draft", position=1)
    assert refused.value.why is CallRefusal.CALLER


async def test_s613_other_callers() -> None:
    async with serving() as p:
        assert refusal(await p.call(PATH, calling(), token=None)) == (401, "TokenMissing")
        assert refusal(await p.call(PATH, calling(), token="junk")) == (401, "TokenRefused")
        p.update(Kind.AGENT_WORKFLOW, "brief", status__nodes__0__attempt=3)
        assert refusal(await p.call(PATH, calling())) == (403, "AttemptNotCurrent")
        assert p.provider.calls == []


async def test_s612_get_and_delete() -> None:
    """A stream without an answer that is continued is one that a server need not offer."""

    async def continued(request: web.Request) -> web.StreamResponse:
        return web.Response(text="data: {}\n\n", content_type="text/event-stream")

    async with serving() as p:
        p.provider.handler = continued
        sent = {"authorization": f"Bearer {TOKEN}", "mcp-session-id": "s-1"}
        assert (await p.client.get(PATH, headers=sent)).status_code == 405
        assert p.provider.calls == []
        answer = await p.client.get(PATH, headers={**sent, "last-event-id": "7"})
        assert (answer.status_code, answer.text) == (200, "data: {}\n\n")
        assert (await p.client.delete(PATH, headers=sent)).status_code == 200
        assert (await p.client.put(PATH, headers=sent)).status_code == 405
        assert (await p.client.patch(PATH, headers=sent)).status_code == 405
        [first, second] = [request for request, _ in p.provider.calls]
        assert (first.method, first.headers["last-event-id"]) == ("GET", "7")
        assert (second.method, second.headers["mcp-session-id"]) == ("DELETE", "s-1")
        assert {one.headers["authorization"] for one in (first, second)} == {f"Bearer {KEY}"}


async def test_s612_an_event_is_passed_on_before_the_next_one_exists() -> None:
    go_on = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: 1\n\n")
        await asyncio.wait_for(go_on.wait(), 20)
        await answer.write(b"data: 2\n\n")
        return answer

    async with serving() as p:
        p.provider.handler = stream
        route_call = _Recorded(calling())
        route = await p.gateway.tools.route(route_call)
        async with AsyncExitStack() as stack:
            relayed = await p.gateway.tools.forward(route_call, route, stack)
            assert relayed.headers["content-type"] == "text/event-stream"
            assert await anext(relayed.pieces) == b"data: 1\n\n"
            go_on.set()
            assert b"".join([piece async for piece in relayed.pieces]) == b"data: 2\n\n"


class _Recorded:
    """A call without an HTTP server."""

    method, path, query, position, source = "POST", "", "", 1, ""
    authorization = f"Bearer {TOKEN}"

    def __init__(self, body: Obj) -> None:
        self._body = json.dumps(body).encode()
        self.headers: list[tuple[str, str]] = []

    async def body(self) -> bytes:
        return self._body


@pytest.mark.parametrize(
    ("http", "hosts", "reason"),
    [
        pytest.param({}, "", "HostNotAllowed", id="no-annotation"),
        pytest.param({}, "other.example", "HostNotAllowed", id="other-host"),
        pytest.param(
            {"headers": [{**BEARER, "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}]},
            None,
            "KeyMissing",
            id="no-secret",
        ),
    ],
)
async def test_s612_a_secret_says_where_it_may_go(
    http: Obj, hosts: str | None, reason: str
) -> None:
    async with serving(http=http) as p:
        p.secret(f"Bearer {KEY}", hosts=hosts)
        answer = await p.call(PATH, calling())
        assert refusal(answer) == (403, reason)
        if reason == "HostNotAllowed":
            assert "the ToolServer names" in answer.json()["error"]["message"]
        assert p.provider.calls == []


async def test_s612_a_secret_that_is_not_granted() -> None:
    async with serving() as p:
        forbidden = Rejected("secrets is forbidden", code=403)
        p.cluster.inner.fail_next("get", Kind.SECRET, forbidden)
        answer = await p.call(PATH, calling())
        assert refusal(answer) == (403, "KeyNotGranted")
        assert "waypost provider grant" in answer.json()["error"]["message"]


async def test_s612_a_server_that_is_gone() -> None:
    async with serving() as p:
        p.cluster.inner.server.delete(
            Kind.TOOL_SERVER, namespace="default", name="mail", options=Deletion()
        )
        assert refusal(await p.call(PATH, calling())) == (403, "ToolServerMissing")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]"])
async def test_s612_an_address_that_may_not_be_called(host: str) -> None:
    http = {"url": f"http://{host}:8080/mcp", "headers": None}
    async with serving(http=http, rules=AddressRules()) as p:
        assert refusal(await p.call(PATH, calling())) == (403, "AddressNotAllowed")


async def test_s612_a_redirect_is_not_followed() -> None:
    async def moved(request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"location": "http://169.254.169.254/latest"})

    async with serving() as p:
        p.provider.handler = moved
        assert refusal(await p.call(PATH, calling())) == (403, "Redirected")
        assert len(p.provider.calls) == 1


async def test_s612_large_and_slow() -> None:
    async def large(request: web.Request) -> web.StreamResponse:
        return web.Response(text="." * 3000)

    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.3)
        return await answered(request)

    async with serving(times=Times(first=0.1, most=2000), largest=1000) as p:
        assert refusal(await p.call(PATH, calling(x="y" * 2000))) == (413, "TooLarge")
        assert p.provider.calls == []
        p.provider.handler = large
        assert refusal(await p.call(PATH, calling())) == (413, "AnswerTooLarge")
        p.provider.handler = slow
        assert refusal(await p.call(PATH, calling())) == (504, "NoAnswer")
        server(p, timeout="30s")
        assert (await p.call(PATH, calling())).status_code == 200, "the ToolServer may take longer"


AS_BASE64 = base64.b64encode(KEY.encode()).decode()


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_s612_a_key_in_an_answer_is_replaced(status: int) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        text = f"Bearer: you sent Bearer {KEY}, {KEY}, {AS_BASE64}"
        return web.Response(status=status, text=text, headers={"mcp-session-id": f"x{KEY}"})

    async with serving() as p:
        p.provider.handler = echo
        answer = await p.call(PATH, calling())
        assert answer.status_code == status
        assert answer.text == "Bearer: you sent [redacted], [redacted], [redacted]"
        assert answer.headers["mcp-session-id"] == "x[redacted]"


def test_s612_a_key_that_is_cut_by_the_pieces_of_an_answer() -> None:
    for at in range(len(KEY) + 1):
        redaction = Redaction(forms_of([KEY]))
        pieces = [f"..{KEY[:at]}", f"{KEY[at:]}..", f"{KEY[:3]}"]
        shown = [redaction.next(piece.encode()) for piece in pieces]
        assert b"".join([*shown, redaction.end()]) == b"..[redacted].." + KEY[:3].encode()
    whole = Redaction(forms_of([KEY]))
    assert whole.next(b"data: 1\n\n") == b"data: 1\n\n", "an event is not held back"


async def test_s612_an_answer_that_is_compressed_unasked() -> None:
    async def compressed(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x", headers={"content-encoding": "gzip"})

    async with serving() as p:
        p.provider.handler = compressed
        assert refusal(await p.call(PATH, calling())) == (403, "KeyInAnswer")


async def test_s612_a_pod_has_a_number_of_messages_in_progress() -> None:
    async with serving() as p:
        p.gateway.tool_slots.open["pod-uid"] = 0
        uid = p.pod["metadata"]["uid"]
        p.gateway.tool_slots.open[uid] = 64
        assert refusal(await p.call(PATH, calling())) == (503, "Busy")
        p.gateway.tool_slots.open.clear()
        assert (await p.call(PATH, calling())).status_code == 200


async def test_s612_nothing_of_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="waypost")
    async with serving() as p:
        assert (await p.call(PATH, calling(to="a private question"))).status_code == 200
        shown = [record for record in caplog.records if "call ended" in record.getMessage()]
        assert [vars(record)["server"] for record in shown] == ["mail"]
    for text in (KEY, "a private question", "s-1", "eyJ"):
        assert text not in caplog.text


def test_s613_what_is_sent_is_what_was_judged() -> None:
    given = b' {"id":1, "jsonrpc":"2.0", "method":"tools/call",\n "params":{"name":"send"}}'
    made = message_of(given, tools=["send"], server="mail")
    assert made.encoded == (
        b'{"id":1,"jsonrpc":"2.0","method":"tools/call","params":{"name":"send"}}'
    )
    assert (made.method, made.tool) == ("tools/call", "send")
