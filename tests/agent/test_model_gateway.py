"""An agent behind the model gateway: its token instead of a key, and refusals of the gateway."""

import json
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from waypost.gateway.tls.authorities import Leaf
from waypost.gateway.tls.serving import ServerTls
from waypost.protocol.reasons import Reason
from waypost_agent.provider import provider_retries

from tests.agent.pods import Pod, entries
from tests.agent.replies import answer, reply
from tests.gateway.tls.served import MODELS, NAME, authority, leaf, trusting
from tests.runner.servers import Reply, serving

TOKEN = "header.payload.signature"


def behind(folder: Path, url: str, type_: str = "OpenAI") -> tuple[Pod, dict[str, Any]]:
    (folder / "token").write_text(TOKEN)
    gateway = {
        "baseUrl": f"{url}/v1/model/0",
        "tokenFile": str(folder / "token"),
        "upstreamUrl": "https://api.openai.com/v1",
        "keyFile": None,
    }
    return Pod(folder, url, type_), gateway


@pytest.mark.parametrize(
    ("type_", "path"),
    [
        ("OpenAI", "/v1/model/0/chat/completions"),
        ("Anthropic", "/v1/model/0/v1/messages"),
        ("Google", "/v1/model/0/v1beta/models/small:generateContent"),
    ],
)
def test_the_token_of_the_pod_stands_in_for_the_key(
    type_: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S490, S491: the paths are those that the gateway forwards."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with serving(answer(type_, "done")) as server:
        pod, model = behind(tmp_path, server.url, type_)
        assert pod.perform("small", model=model).output == "done"
        [asked] = server.asked
        assert asked.target.partition("?")[0] == path
        assert asked.headers["authorization"] == f"Bearer {TOKEN}"
        assert not {"x-api-key", "x-goog-api-key", "api-key"} & set(asked.headers)


@pytest.mark.parametrize("by_gateway", [True, False], ids=["gateway", "provider"])
def test_s793_a_wait_in_the_gateway_is_in_the_trace(by_gateway: bool, tmp_path: Path) -> None:
    given = answer("OpenAI", "done")
    waited = replace(given, headers=(*given.headers, ("Waypost-Waited", "2.500")))
    with serving(waited) as server:
        pod, model = behind(tmp_path, server.url)
        [called] = entries(pod.perform("small", model=model if by_gateway else {}), "model")
        assert called.get("gatewayWaitSeconds") == (2.5 if by_gateway else None)


def refusal(status: int, reason: str, **headers: str) -> Reply:
    error = {"error": {"message": "because", "code": reason}}
    return reply(error, status=status, **{"Waypost-Refused": reason}, **headers)


@pytest.mark.parametrize(
    ("given", "reason", "retry_after"),
    [
        pytest.param(refusal(403, "KeyNotGranted"), Reason.PROVIDER_ERROR, None, id="final"),
        pytest.param(refusal(403, "KeyMissing"), Reason.KEY_MISSING, None, id="key"),
        pytest.param(refusal(402, "BudgetExceeded"), Reason.BUDGET_EXCEEDED, None, id="budget"),
        pytest.param(
            refusal(429, "RateLimited", **{"Retry-After": "600"}),
            Reason.RATE_LIMITED,
            600.0,
            id="rate",
        ),
    ],
)
def test_a_refusal_of_the_gateway_is_told_from_one_of_the_provider(
    given: Reply, reason: Reason, retry_after: float | None, tmp_path: Path
) -> None:
    """S490, S492"""
    with serving(given) as server:
        pod, model = behind(tmp_path, server.url)
        failed = pod.fail("small", model=model)
    assert failed.reason == reason
    assert "through the model gateway: the model gateway refused the call" in failed.message
    assert "because" in failed.message
    assert "valid key" not in failed.message, "advice for errors of the provider"
    assert failed.retry_after == retry_after


def test_a_busy_gateway_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S492"""
    monkeypatch.setattr(provider_retries, "FIRST_WAIT", 0.01)
    given = [refusal(503, "Busy"), refusal(401, "TokenRefused"), answer("OpenAI", "done")]
    with serving(*given) as server:
        pod, model = behind(tmp_path, server.url)
        assert pod.perform("small", model=model).output == "done"
        assert len(server.asked) == 3


def test_openai_itself_is_recognized_behind_the_gateway(tmp_path: Path) -> None:
    """S490: it takes another name for the most tokens of an answer than servers like it."""
    with serving(answer("OpenAI", "done")) as server:
        pod, model = behind(tmp_path, server.url)
        pod.perform("small", model={**model, "settings": {"maxTokens": 100}})
        body = json.loads(server.asked[0].body)
    assert body["max_completion_tokens"] == 100
    assert "max_tokens" not in body


@pytest.mark.parametrize("type_", ["OpenAI", "Anthropic", "Google"])
def test_a_model_gateway_with_tls(
    type_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S778: the CA and the name come from the operator, the URL has an address."""
    ours = authority()
    trusting(monkeypatch, tmp_path, ours)
    with serving(answer(type_, "done"), tls=_context(leaf(ours, MODELS))) as server:
        pod, model = behind(tmp_path, server.url, type_)
        assert pod.perform("small", model=model).output == "done"


@pytest.mark.parametrize("type_", ["OpenAI", "Anthropic", "Google"])
@pytest.mark.parametrize(
    ("ca", "name", "words"),
    [
        pytest.param("other", MODELS, "not signed by a CA", id="wrong-ca"),
        pytest.param("ours", NAME, "the name in its certificate", id="wrong-name"),
    ],
)
def test_a_model_gateway_that_cannot_be_verified(
    ca: str,
    name: str,
    words: str,
    type_: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S781: no advice about the provider, and no token for what answered."""
    monkeypatch.setattr(provider_retries, "FIRST_WAIT", 0.01)
    authorities = {"ours": authority(), "other": authority()}
    trusting(monkeypatch, tmp_path, authorities["ours"])
    with serving(answer(type_, "done"), tls=_context(leaf(authorities[ca], name))) as server:
        pod, model = behind(tmp_path, server.url, type_)
        failed = pod.fail("small", model=model)
        assert not server.asked
    assert failed.reason == Reason.PROVIDER_ERROR
    assert "the model gateway cannot be verified: " in failed.message
    assert words in failed.message
    assert "ModelProvider's tls" not in failed.message


def test_a_pod_without_the_ca_of_the_model_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYPOST_TRUST", str(tmp_path / "none"))
    pod, model = behind(tmp_path, "https://127.0.0.1:1")
    failed = pod.fail("small", model=model)
    assert failed.reason == Reason.PROVIDER_ERROR
    assert "the model gateway cannot be verified: the gateway uses TLS" in failed.message


def _context(made: Leaf) -> ssl.SSLContext:
    tls = ServerTls()
    tls.use(made.pair)
    return tls.context
