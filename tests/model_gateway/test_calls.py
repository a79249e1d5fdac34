"""A call of a model through the gateway: the key is added, the answer comes back as it arrives."""

import asyncio
import logging
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from waypost.ports.cluster import Kind

from tests.model_gateway.place import ANSWER, ASK, CHAT, KEY, TOKEN, Place, agent_of, place


@pytest.mark.parametrize("from_template", [False, True], ids=["own-nodes", "template"])
async def test_the_key_is_added_and_the_answer_comes_back(from_template: bool) -> None:
    """S491"""
    async with place(from_template=from_template) as p:
        answer = await p.call()
        assert (answer.status_code, answer.json()) == (200, ANSWER)
        [(request, body)] = p.provider.calls
        assert request.path == "/v1/chat/completions"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert b"a private question" in body
        assert KEY not in str(answer.headers)
        assert p.counted("Answered") == 1


TYPES = [
    pytest.param("Anthropic", "v1/messages", "/v1/messages", "x-api-key", ASK, id="anthropic"),
    pytest.param(
        "Google",
        "v1beta/models/small:generateContent",
        "/v1beta/models/small:generateContent",
        "x-goog-api-key",
        {"contents": []},
        id="google",
    ),
]


@pytest.mark.parametrize(("type_", "path", "sent", "header", "ask"), TYPES)
async def test_each_type_has_its_path_and_its_header(
    type_: str, path: str, sent: str, header: str, ask: object
) -> None:
    """S491"""
    async with place() as p:
        p.model_provider(type=type_, baseURL=f"http://{p.provider.host}")
        answer = await p.call(f"/v1/model/0/{path}", ask)
        assert answer.status_code == 200
        [(request, _)] = p.provider.calls
        assert (request.path, request.headers[header]) == (sent, KEY)
        assert "authorization" not in request.headers, "the token of the pod stays here"


async def test_what_the_pod_sends_along_is_dropped() -> None:
    """S492"""
    async with place() as p:
        sent = {
            "cookie": "a=b",
            "host": "elsewhere",
            "x-forwarded-for": "10.0.0.1",
            "waypost-node": "other",
            "x-api-key": "theirs",
            "connection": "x-hop",
            "x-hop": "1",
            "openai-organization": "theirs",
        }
        answer = await p.call(**sent)
        [(request, _)] = p.provider.calls
        assert request.headers["host"] == p.provider.host
        assert not {name.lower() for name in request.headers} & (set(sent) - {"host"})
        assert TOKEN not in str(request.headers)
        assert "set-cookie" not in answer.headers
        assert answer.headers["x-request-id"] == "r1"


async def test_headers_and_query_of_the_provider() -> None:
    """S491"""
    async with place() as p:
        secret = {"valueFrom": {"secretKeyRef": {"name": "keys", "key": "api-key"}}}
        p.model_provider(
            apiKey=None,
            headers=[{"name": "X-Team", "value": "blue"}, {"name": "X-Key", **secret}],
            query=[{"name": "api-version", "value": "2026-01-01"}],
        )
        assert (await p.call()).status_code == 200
        [(request, _)] = p.provider.calls
        assert (request.headers["x-team"], request.headers["x-key"]) == ("blue", KEY)
        assert request.query_string == "api-version=2026-01-01"
        assert "authorization" not in request.headers, "no key is sent"


async def test_the_models_of_a_node_are_told_by_position() -> None:
    """S491"""
    async with place(definition=agent_of("small", "large")) as p:
        path = "/v1/model/1/chat/completions"
        assert (await p.call(path, ASK)).status_code == 403
        assert (await p.call(path, {**ASK, "model": "large"})).status_code == 200


async def test_an_answer_is_passed_on_as_it_arrives() -> None:
    """S492: the second piece is sent only when the first one has reached the pod."""
    arrived = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        async with asyncio.timeout(10):
            await arrived.wait()
        await response.write(b"data: 2\n\n")
        return response

    async with place() as p:
        p.provider.handler = stream
        # httpx2's ASGI transport collects a body; the gateway's own parts do not.
        relayed = await _relayed(p)
        assert await anext(relayed) == b"data: 1\n\n"
        arrived.set()
        assert [piece async for piece in relayed] == [b"data: 2\n\n"]


async def _relayed(p: Place):  # type: ignore[no-untyped-def]
    class Call:
        method = "POST"
        authorization = f"Bearer {TOKEN}"
        position = 0
        path = "chat/completions"
        query = ""
        headers = [("content-type", "application/json")]  # noqa: RUF012
        source = ""

        async def body(self) -> bytes:
            return b'{"model":"small","stream":true}'

    call = Call()
    route = await p.gateway.calls.route(call)
    return (await p.gateway.calls.forward(call, route, AsyncExitStack())).pieces


async def test_an_error_of_the_provider_comes_back_without_the_key() -> None:
    """S492"""

    async def refuse(request: web.Request) -> web.StreamResponse:
        text = f"Incorrect API key provided: {request.headers['authorization']}"
        return web.json_response(
            {"error": {"message": text}}, status=503, headers={"retry-after": "7"}
        )

    async with place() as p:
        p.provider.handler = refuse
        answer = await p.call()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
        assert "waypost-refused" not in answer.headers
        assert "Incorrect API key" in answer.text
        assert KEY not in answer.text
        assert p.counted("ProviderError") == 1


async def test_neither_content_nor_keys_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """S492"""
    caplog.set_level(logging.DEBUG)
    async with place() as p:
        await p.call()
        await p.call(CHAT, {**ASK, "model": "other"})
        await p.call(CHAT, b'{"a private question"')
    logged = "".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "call ended" in logged
    for secret in ("a private", KEY, TOKEN):
        assert secret not in logged


async def test_a_key_is_read_again_after_a_minute() -> None:
    """S493"""
    async with place() as p:
        await p.call()
        p.secret("sk-new")
        await p.call()
        p.clock.advance(61)
        await p.call()
        keys = [request.headers["authorization"] for request, _ in p.provider.calls]
        assert keys == [f"Bearer {KEY}", f"Bearer {KEY}", "Bearer sk-new"]


async def test_a_provider_that_changes_holds_at_once() -> None:
    """S491"""
    async with place() as p:
        await p.call()
        p.put(Kind.MODEL_PROVIDER, "scripted", spec={"type": "OpenAI", "baseURL": "https://a.b/v1"})
        answer = await p.call()
        assert answer.status_code == 502
        assert len(p.provider.calls) == 1
