"""What the gateway refuses, and that nothing of it reaches the provider."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from waypost.kube.egress.addresses import AddressRules
from waypost.model_gateway.upstream import Times
from waypost.ports.cluster import Kind, NotFound, Rejected, Unavailable

from tests.gateway.place import IN_2100, make_pod, reviewed, token_of
from tests.model_gateway.place import ASK, CHAT, KEY, TOKEN, Place, place

Prepare = Callable[[Place], str | None]
OTHER = token_of("other", audience=("waypost-models",))


def _gateway_token(p: Place) -> str:
    token = token_of("draft")
    p.cluster.tokens[token] = {**p.cluster.tokens[TOKEN], "audiences": ["waypost-gateway"]}
    return token


def _earlier_attempt(p: Place) -> str:
    run = p.cluster.inner.server.list(Kind.AGENT_WORKFLOW).items[0]
    pod = make_pod(p.cluster.inner, "brief-draft-1-x", run_uid=run["metadata"]["uid"], attempt=1)
    p.cluster.tokens[OTHER] = reviewed(pod, audiences=["waypost-models"])
    return OTHER


def _no_pod(p: Place) -> str:
    p.cluster.tokens[OTHER] = {
        **p.cluster.tokens[TOKEN],
        "user": {"username": "system:serviceaccount:default:x"},
    }
    return OTHER


@pytest.mark.parametrize(
    ("prepare", "status", "reason"),
    [
        pytest.param(lambda p: None, 401, "TokenMissing", id="no-token"),
        pytest.param(lambda p: "junk", 401, "TokenRefused", id="junk"),
        pytest.param(_gateway_token, 401, "TokenRefused", id="for-the-payload-gateway"),
        pytest.param(
            lambda p: token_of("d", audience=("waypost-models",), expires=1),
            401,
            "TokenRefused",
            id="expired",
        ),
        pytest.param(
            lambda p: token_of("forged", audience=("waypost-models",), expires=IN_2100),
            401,
            "TokenRefused",
            id="forged",
        ),
        pytest.param(_no_pod, 403, "NotAPod", id="of-no-pod"),
        pytest.param(_earlier_attempt, 403, "AttemptNotCurrent", id="of-an-earlier-attempt"),
    ],
)
async def test_a_caller_that_is_no_current_attempt(
    prepare: Prepare, status: int, reason: str
) -> None:
    """S491"""
    async with place() as p:
        answer = await p.call(token=prepare(p))
        assert (answer.status_code, answer.headers["waypost-refused"]) == (status, reason)
        assert answer.json()["error"]["message"]
        assert p.provider.calls == []


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        pytest.param("/v1/model/0/models", ASK, "PathNotAllowed", id="path"),
        pytest.param("/v1/model/0/chat/completions/", ASK, "PathNotAllowed", id="slash"),
        pytest.param("/v1/model/0/../../admin", ASK, None, id="dots"),
        pytest.param("/v1/model/0/chat%2F..%2Fkeys", ASK, "PathNotAllowed", id="encoded"),
        pytest.param(f"{CHAT}?api_base=x", ASK, "PathNotAllowed", id="query"),
        pytest.param("/v1/model/1/chat/completions", ASK, "ModelNotAllowed", id="position"),
        pytest.param("/v1/model/-1/chat/completions", ASK, "PathNotAllowed", id="negative"),
        pytest.param(CHAT, {**ASK, "model": "large"}, "ModelNotAllowed", id="model"),
        pytest.param(CHAT, {"messages": []}, "ModelNotAllowed", id="no-model"),
        pytest.param(CHAT, {**ASK, "api_base": "http://x"}, "FieldNotAllowed", id="field"),
        pytest.param(CHAT, {**ASK, "Base_URL": "http://x"}, "FieldNotAllowed", id="case"),
        pytest.param(CHAT, b'{"model":"small","model":"large"}', "BadRequest", id="twice"),
        pytest.param(CHAT, b"[]", "BadRequest", id="no-object"),
        pytest.param(CHAT, b'{"model": NaN}', "BadRequest", id="no-number"),
        pytest.param(CHAT, b"[" * 100_000, "BadRequest", id="deep"),
        pytest.param(CHAT, b'{"model":"small","x":"\\ud800"}', "BadRequest", id="surrogate"),
        pytest.param(CHAT, b"x" * (1024 * 1024 + 1), "TooLarge", id="large"),
    ],
)
async def test_a_call_that_the_node_may_not_make(path: str, body: Any, reason: str | None) -> None:
    """S491, S492"""
    async with place() as p:
        answer = await p.call(path, body)
        assert answer.headers.get("waypost-refused") == reason
        assert answer.status_code in (400, 403, 404, 413)
        assert p.provider.calls == []


def _no_right(p: Place) -> None:
    p.cluster.inner.fail_next("get", Kind.SECRET, Rejected("secrets is forbidden", code=403))


def _down(p: Place) -> None:
    p.cluster.inner.fail_next("get", Kind.SECRET, Unavailable("no answer"))


def _no_secret(p: Place) -> None:
    p.model_provider(apiKey={"name": "gone", "key": "api-key"})


def _no_provider(p: Place) -> None:
    p.cluster.inner.fail_next("get", Kind.MODEL_PROVIDER, NotFound("not found", code=404))


@pytest.mark.parametrize(
    ("prepare", "status", "reason", "words"),
    [
        pytest.param(_no_right, 403, "KeyNotGranted", "may not read Secret keys", id="not-granted"),
        pytest.param(_down, 503, "Failed", "API server failed", id="api-server"),
        pytest.param(_no_secret, 403, "KeyMissing", "Secret gone does not exist", id="no-secret"),
        pytest.param(
            lambda p: p.secret(key="other"), 403, "KeyMissing", "no text in key", id="no-key"
        ),
        pytest.param(lambda p: p.secret("a\nb"), 403, "KeyInvalid", "no header", id="line-break"),
        pytest.param(_no_provider, 403, "ProviderMissing", "does not exist", id="no-provider"),
        pytest.param(
            lambda p: p.secret(hosts=""), 403, "HostNotAllowed", "api.openai.com only", id="public"
        ),
        pytest.param(
            lambda p: p.secret(hosts="127.0.0.1"),
            403,
            "HostNotAllowed",
            "waypost.dev/hosts",
            id="port",
        ),
    ],
)
async def test_a_key_that_is_not_to_be_had(
    prepare: Callable[[Place], None], status: int, reason: str, words: str
) -> None:
    """S493"""
    async with place() as p:
        prepare(p)
        answer = await p.call()
        assert (answer.status_code, answer.headers["waypost-refused"]) == (status, reason)
        assert words in answer.json()["error"]["message"]
        assert base64.b64encode(KEY.encode()).decode() not in answer.text
        assert KEY not in answer.text
        assert p.provider.calls == []


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(AddressRules(), id="loopback"),
        pytest.param(AddressRules(forbidden=()), id="not-listed"),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f000001"])
async def test_an_address_that_may_not_be_called(rules: AddressRules, host: str) -> None:
    """S494"""
    async with place(rules=rules) as p:
        address = f"{host}:{p.provider.port}"
        p.secret(hosts=address)
        p.model_provider(baseURL=f"http://{address}/v1")
        answer = await p.call()
        assert (answer.status_code, answer.headers["waypost-refused"]) == (403, "AddressNotAllowed")
        assert p.provider.calls == []


async def test_a_redirect_is_not_followed() -> None:
    """S494"""

    async def redirect(request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with place() as p:
        p.provider.handler = redirect
        answer = await p.call()
        assert answer.headers["waypost-refused"] == "Redirected"
        assert len(p.provider.calls) == 1


async def test_a_provider_that_does_not_answer() -> None:
    """S492"""

    over = asyncio.Event()  # a server waits for its handlers when it closes

    async def hang(request: web.Request) -> web.StreamResponse:
        await over.wait()
        raise ConnectionResetError

    async with place(times=Times(first=0.05)) as p:
        p.provider.handler = hang
        answer = await p.call()
        over.set()
        assert (answer.status_code, answer.headers["waypost-refused"]) == (504, "NoAnswer")
        p.model_provider(baseURL="http://127.0.0.1:1/v1")
        p.secret(hosts="127.0.0.1:1")
        p.clock.advance(61)
        answer = await p.call()
        assert (answer.status_code, answer.headers["waypost-refused"]) == (502, "Unreachable")


async def test_an_answer_that_is_too_large_breaks_off() -> None:
    """S492"""

    async def flood(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 5000)

    async with place(times=Times(most=100)) as p:
        p.provider.handler = flood
        answer = await p.call()
        assert answer.headers["waypost-refused"] == "AnswerTooLarge"


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        pytest.param("Anthropic", {"type": "error"}, id="anthropic"),
        pytest.param("Google", {}, id="google"),
    ],
)
async def test_a_refusal_is_written_as_the_provider_writes_errors(
    type_: str, expected: dict[str, str]
) -> None:
    """S492"""
    async with place() as p:
        p.model_provider(type=type_, baseURL=f"http://{p.provider.host}")
        document = (await p.call()).json()
        assert expected.items() <= document.items()
        assert "only POST" in document["error"]["message"]
