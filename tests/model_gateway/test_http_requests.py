"""Requests of http nodes that the model gateway sends: the pod has no key and chooses nothing."""

import asyncio
import base64
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from waypost.api import meta
from waypost.kube.egress.addresses import AddressRules
from waypost.kube.egress.forwarded import (
    Forwarded,
    body_of,
    digest_of,
    forwarded_from_text,
    whole_url,
)
from waypost.model_gateway.core.forwarding import sending_of
from waypost.model_gateway.core.leaks import Leaks, forms_of
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused
from waypost.model_gateway.upstream import Times
from waypost.ports.cluster import Kind, Obj

from tests.model_gateway.place import KEY, TOKEN, Place, agent_of, place

BEARER: Obj = {"bearer": {"name": "keys", "key": "api-key"}}
GATEWAY: Obj = {"egress": "Gateway"}


def fetch(url: str, isolation: Obj | None = None, **fields: Any) -> Obj:
    """A definition with the http node `draft`."""
    node = {"name": "draft", "http": {"url": url, **fields}, "isolation": isolation or GATEWAY}
    return {"nodes": [node]}


@asynccontextmanager
async def sending(
    path: str = "/",
    *,
    origin: str = "http://{host}",
    isolation: Obj | None = None,
    annotation: Obj | None = None,
    around: Obj | None = None,
    **http: Any,
) -> AsyncIterator[Place]:
    """The http node `draft` is in progress, with the annotation that the operator writes.

    Args:
        path: That of its URL.
        origin: The rest of its URL; {host} is that of the provider.
        isolation: Of the node; default: egress Gateway.
        annotation: What is different in the annotation.
        around: Arguments of `place`.
        http: More fields of the node.
    """

    def definition(host: str) -> Obj:
        return fetch(origin.format(host=host) + path, isolation, **http)

    async with place(definition=definition, **(around or {})) as p:
        annotate(p, definition(p.provider.host)["nodes"][0]["http"], annotation or {})
        yield p


def annotate(p: Place, work: Obj, changed: Obj) -> None:
    url: str = changed.get("url", whole_url(work["url"], work.get("query", {})))
    method: str = changed.get("method") or work.get("method") or "GET"
    headers = [(each["name"], each["value"]) for each in work.get("headers", ()) if "value" in each]
    made = Forwarded(
        method,
        url.replace("{host}", p.provider.host),
        tuple(headers),
        digest_of(changed.get("body", body_of(work))),
    )
    annotated(p, made.to_text())


def annotated(p: Place, text: str) -> None:
    kept = {**p.pod["metadata"]["annotations"], meta.ANNOTATION_HTTP: text}
    p.put(Kind.POD, p.pod["metadata"]["name"], metadata={"annotations": kept})


async def send(p: Place, body: bytes = b"", /, **headers: Any) -> Any:
    return await p.call("/v1/http", body, **headers)


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.headers.get("waypost-refused", "")


async def test_the_key_is_added_and_the_answer_comes_back() -> None:
    """S720"""
    headers = [
        {"name": "X-Team", "value": "blue"},
        {"name": "X-Key", "valueFrom": {"secretKeyRef": BEARER["bearer"]}},
    ]
    query = {"q": "a b/&"}
    async with sending(
        "/v1/items", method="POST", query=query, auth=BEARER, body={"n": 1}, headers=headers
    ) as p:
        answer = await send(p, b'{"n":1}', **{"idempotency-key": "once"})
        assert answer.status_code == 200, answer.text
        [(request, body)] = p.provider.calls
        assert (request.method, request.raw_path) == ("POST", "/v1/items?q=a%20b%2F%26")
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert (request.headers["x-team"], request.headers["x-key"]) == ("blue", KEY)
        assert request.headers["idempotency-key"] == "once"
        assert body == b'{"n":1}'
        assert TOKEN not in str(request.headers)
        assert "set-cookie" not in answer.headers
        assert answer.headers["waypost-length"] == str(len(answer.content))
        assert p.counted("Answered", type_="Http") == 1


async def test_basic_authentication_and_a_header_of_a_config_map() -> None:
    """S720"""
    mode = {"configMapKeyRef": {"name": "settings", "key": "mode"}}
    headers = [{"name": "X-Mode", "valueFrom": mode}]
    async with sending(auth={"basic": {"name": "keys"}}, headers=headers) as p:
        p.put(
            Kind.SECRET,
            "keys",
            data={
                "username": base64.b64encode(b"ann").decode(),
                "password": base64.b64encode(b"s3cret-word").decode(),
            },
            metadata={"annotations": {"waypost.dev/hosts": p.provider.host}},
        )
        p.put(Kind.CONFIG_MAP, "settings", data={"mode": "fast"})
        assert (await send(p)).status_code == 200
        [(request, _)] = p.provider.calls
        expected = base64.b64encode(b"ann:s3cret-word").decode()
        assert request.headers["authorization"] == f"Basic {expected}"
        assert request.headers["x-mode"] == "fast"


async def test_nothing_that_the_pod_sends_along_passes() -> None:
    """S720"""
    async with sending(auth=BEARER) as p:
        sent = {
            "host": "elsewhere",
            "cookie": "a=b",
            "x-forwarded-for": "10.0.0.1",
            "waypost-node": "other",
            "x-api-key": "theirs",
            "connection": "x-hop",
            "x-hop": "1",
            "accept-encoding": "gzip",
        }
        assert (await send(p, **sent)).status_code == 200
        [(request, _)] = p.provider.calls
        assert request.headers["host"] == p.provider.host
        assert request.headers["accept-encoding"] == "identity"
        ours = {"host", "accept-encoding", "connection"}
        assert request.headers["connection"] == "close"
        assert not {name.lower() for name in request.headers} & (set(sent) - ours)


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        pytest.param({"url": "http://evil.example/"}, "PathNotAllowed", "host", id="host"),
        pytest.param({"url": "http://{host}.evil.example/"}, "PathNotAllowed", "host", id="suffix"),
        pytest.param({"url": "http://{host}@evil.example/"}, "PathNotAllowed", "host", id="user"),
        pytest.param({"url": "ftp://{host}/v1/items"}, "PathNotAllowed", "host", id="scheme"),
        pytest.param({"url": "http://{host}/v2/items"}, "PathNotAllowed", "path", id="path"),
        pytest.param({"url": "http://{host}/v1/../v2"}, "PathNotAllowed", "'..'", id="dots"),
        pytest.param({"url": "http://{host}/v1/%2E%2e/v2"}, "PathNotAllowed", "'..'", id="encoded"),
        pytest.param(
            {"url": "http://{host}/v1/\\x"}, "PathNotAllowed", "backslash", id="backslash"
        ),
        pytest.param({"method": "DELETE"}, "PathNotAllowed", "method", id="method"),
        pytest.param({"body": b"another"}, "BadRequest", "body", id="body"),
    ],
)
async def test_a_request_that_is_not_that_of_the_node(change: Any, reason: str, words: str) -> None:
    """S721: although it is in the annotation of the pod."""
    async with sending("/v1/${inputs.x}", auth=BEARER, annotation=change) as p:
        answer = await send(p)
        assert refusal(answer) == (400 if reason == "BadRequest" else 403, reason)
        assert words in answer.json()["error"]["message"]
        assert p.provider.calls == []


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        pytest.param(agent_of("small"), "is no http node", id="agent"),
        pytest.param(fetch("http://h.example/", {"egress": "Inherit"}), "Inherit", id="inherit"),
        pytest.param({"nodes": [{"name": "a", "wait": {}}]}, "is no http node", id="gone"),
        pytest.param({"nodes": 7}, "cannot be read", id="damaged"),
    ],
)
def test_a_node_whose_requests_the_gateway_does_not_send(definition: Obj, words: str) -> None:
    """S720"""
    annotation = Forwarded("GET", "http://h.example/", (), digest_of(b"")).to_text()
    with pytest.raises(CallRefused, match=words) as refused:
        sending_of(definition, path="draft", annotation=annotation)
    assert refused.value.why is CallRefusal.CALLER


@pytest.mark.parametrize("text", ["", "{", "[]", '{"method":1,"url":"x","body":"","headers":[]}'])
async def test_a_pod_without_a_request(text: str) -> None:
    """S720"""
    async with sending() as p:
        annotated(p, text)
        assert refusal(await send(p)) == (403, "NotAllowed")


async def test_other_callers() -> None:
    """S720: as for calls of models."""
    async with sending() as p:
        assert refusal(await p.call("/v1/http", b"", token=None)) == (401, "TokenMissing")
        assert refusal(await p.call("/v1/http", b"", token="junk")) == (401, "TokenRefused")
        assert refusal(await p.call(body={"model": "small"})) == (403, "NotAllowed"), "no agent"
        assert p.provider.calls == []


async def test_a_secret_says_where_it_may_go() -> None:
    """S722"""
    async with sending(auth=BEARER) as p:
        for hosts in ("", "other.example"):
            p.secret(hosts=hosts)
            p.clock.advance(61)
            answer = await send(p)
            assert refusal(answer) == (403, "HostNotAllowed")
            assert "waypost.dev/hosts" in answer.json()["error"]["message"]
        assert p.provider.calls == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]"])
async def test_an_address_that_may_not_be_called(host: str) -> None:
    """S723: also if a name has it."""
    async with sending(origin=f"http://{host}:8080", around={"rules": AddressRules()}) as p:
        assert refusal(await send(p)) == (403, "AddressNotAllowed")
        assert p.provider.calls == []


async def test_a_redirect_is_an_answer() -> None:
    """S723"""

    async def moved(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"location": "http://169.254.169.254/latest"})

    async with sending() as p:
        p.provider.handler = moved
        answer = await send(p)
        assert (answer.status_code, answer.headers["location"]) == (
            302,
            "http://169.254.169.254/latest",
        )
        assert len(p.provider.calls) == 1


def echo(text: str, *, header: bool = False, status: int = 200, before: int = 0) -> Any:
    async def handler(request: web.Request) -> web.StreamResponse:
        if header:
            return web.Response(status=status, headers={"x-you-sent": text})
        return web.Response(status=status, text="." * before + text)

    return handler


AS_BASE64 = base64.b64encode(KEY.encode()).decode()


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(echo(f"you sent {KEY}"), id="body"),
        pytest.param(echo(AS_BASE64), id="base64"),
        pytest.param(echo(KEY, header=True), id="header"),
    ],
)
async def test_an_answer_with_the_key_is_held_back(handler: Any) -> None:
    """S724"""
    async with sending(auth=BEARER) as p:
        p.provider.handler = handler
        answer = await send(p)
        assert refusal(answer) == (403, "KeyInAnswer")
        assert KEY not in answer.text
        assert AS_BASE64 not in answer.text


async def test_a_key_late_in_a_long_answer_breaks_it_off() -> None:
    """S724"""
    async with sending(auth=BEARER) as p:
        p.provider.handler = echo(KEY, before=200_000)
        with pytest.raises(Exception, match="secret of the request"):
            await send(p)
        assert p.counted("KeyInAnswer", type_="Http") == 1


async def test_an_error_comes_back_without_the_key() -> None:
    """S724: unless the node takes its status for an answer."""
    async with sending(auth=BEARER) as p:
        p.provider.handler = echo(f"wrong key {KEY}", status=401)
        answer = await send(p)
        assert (answer.status_code, answer.text) == (401, "wrong key [redacted]")
    async with sending(auth=BEARER, successCodes=[401]) as p:
        p.provider.handler = echo(f"wrong key {KEY}", status=401)
        assert refusal(await send(p)) == (403, "KeyInAnswer")


async def test_an_answer_that_is_compressed_unasked() -> None:
    """S724: no key can be found in it; without a key it passes."""

    async def compressed(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x", headers={"content-encoding": "gzip"})

    async with sending(auth=BEARER) as p:
        p.provider.handler = compressed
        assert refusal(await send(p)) == (403, "KeyInAnswer")
    async with sending() as p:
        p.provider.handler = compressed
        # The client of the test would unpack it: only the headers are read.
        request = p.client.build_request(
            "POST", "/v1/http", headers={"authorization": f"Bearer {TOKEN}"}
        )
        answer = await p.client.send(request, stream=True)
        assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip")
        await answer.aclose()


def test_a_key_that_is_cut_by_the_pieces_of_an_answer() -> None:
    """S724"""
    for at in range(len(KEY) + 1):
        leaks = Leaks(forms_of([KEY]))
        assert [leaks.finds(piece.encode()) for piece in (f"..{KEY[:at]}", f"{KEY[at:]}..")].count(
            True
        ) >= 1
    assert not Leaks(forms_of([KEY])).finds(KEY[:-1].encode())
    assert not Leaks(()).finds(b"anything")


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        pytest.param("closes", "NoAnswer", id="closes"),
        pytest.param("hangs", "NoAnswer", id="hangs"),
    ],
)
async def test_a_server_that_may_have_processed_it(handler: str, reason: str) -> None:
    """S726: the runner decides by the effect of the node."""

    async def closes(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def hangs(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    async with sending(method="PUT", around={"times": Times(first=0.2)}) as p:
        p.provider.handler = {"closes": closes, "hangs": hangs}[handler]
        assert refusal(await send(p)) == (504, reason)
        assert len(p.provider.calls) == 1, "not sent again"


async def test_a_server_that_is_not_there() -> None:
    """S726: nothing was sent, so it may be sent again."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    async with sending(origin=f"http://127.0.0.1:{port}", method="POST") as p:
        assert refusal(await send(p)) == (502, "Unreachable")


async def test_an_answer_that_is_too_large() -> None:
    """S726"""
    async with sending(around={"times": Times(most=1000)}) as p:
        p.provider.handler = echo("", before=2000)
        assert refusal(await send(p)) == (413, "AnswerTooLarge")


async def test_a_body_that_is_too_large() -> None:
    """S726"""
    async with sending(method="POST", body="x" * 2000, around={"largest": 1000}) as p:
        assert refusal(await send(p, b"x" * 2000)) == (413, "TooLarge")


@pytest.mark.parametrize("status", [204, 205, 304])
async def test_an_answer_without_a_body(status: int) -> None:
    """S720"""

    async def empty(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    async with sending(method="HEAD") as p:
        p.provider.handler = empty
        assert (await send(p)).status_code == status


async def test_nothing_of_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """S720"""
    caplog.set_level(logging.DEBUG, logger="waypost")
    async with sending("/private", auth=BEARER, method="POST", body="a question") as p:
        p.provider.handler = echo("a private answer")
        assert (await send(p, b"a question")).status_code == 200
        shown = [record for record in caplog.records if "call ended" in record.getMessage()]
        assert [vars(record)["host"] for record in shown] == [p.provider.host]
    for text in (KEY, "a question", "a private answer", "/private", "eyJ"):
        assert text not in caplog.text


def test_what_the_operator_writes_can_be_read() -> None:
    """S720"""
    made = Forwarded("PUT", "https://h.example/%C3%BC?a=1", (("X", "1"), ("X", "2")), "sha256:0")
    assert forwarded_from_text(made.to_text()) == made
    assert replace(made, url=whole_url("https://h.example/ü b?a=0#frag", {"a": "1"})).url == (
        "https://h.example/%C3%BC%20b?a=1"
    )
