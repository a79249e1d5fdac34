"""An http node whose request the model gateway sends: what the pod sends it, and what it makes of
its answers."""

from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost_node.http import node

from tests.runner.servers import Reply, Server, serving
from tests.runner.test_http_node import asking, fail, perform

URL = "https://api.example.com/v1/items?q=1"
JSON = (("Content-Type", "application/json"),)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "FIRST_WAIT", 0.01)


@pytest.fixture
def token(tmp_path: Path) -> str:
    path = tmp_path / "models"
    path.write_text("pod-token\n")
    return str(path)


def by(server: Server, token: str, **fields: Any) -> dict[str, Any]:
    gateway = {"url": f"{server.url}/v1/http", "tokenFile": token}
    return {"gateway": gateway, "method": "POST", "body": {"n": 1}, **fields}


def refused(reason: str, status: int, message: str = "why", **headers: str) -> Reply:
    body = f'{{"error": {{"message": "{message}"}}}}'.encode()
    listed = [("Waypost-Refused", reason), *((name, text) for name, text in headers.items())]
    return Reply(status, body, (*JSON, *listed))


def test_the_pod_sends_the_body_and_its_token(token: str) -> None:
    """S720"""
    answer = Reply(200, b'{"id": 7}', (*JSON, ("Waypost-Length", "9"), ("X-Page", "2")))
    with serving(answer) as server:
        output = perform(URL, **by(server, token, headers=[{"name": "X-Team", "value": "b"}]))
        [asked] = server.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/v1/http", b'{"n":1}')
    assert asked.headers["authorization"] == "Bearer pod-token"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["idempotency-key"] == "stable-key"
    assert "x-team" not in asked.headers, "the operator has given it to the gateway"
    assert "api.example.com" not in str(asked)
    found = output.output
    assert isinstance(found, dict)
    assert (found["status"], found["body"]) == (200, {"id": 7})
    assert isinstance(found["headers"], dict)
    assert found["headers"]["x-page"] == "2"
    assert found["headers"]["content-length"] == "9"
    assert "waypost-length" not in found["headers"]


def test_an_error_of_the_server_is_that_of_the_server(token: str) -> None:
    """S726"""
    with serving(Reply(404, b"no such item", JSON)) as server:
        failed = fail(URL, **by(server, token))
    assert failed.reason == Reason.NODE_ERROR
    assert str(failed) == "POST https://api.example.com/v1/items: 404 Not Found: no such item"


def test_a_redirect_is_not_followed(token: str) -> None:
    """S723"""
    moved = Reply(302, b"", (("Location", "https://elsewhere.example/?key=1"),))
    with serving(moved) as server:
        failed = fail(URL, **by(server, token))
        assert len(server.asked) == 1
    assert failed.reason == Reason.NODE_ERROR
    assert "redirect to https://elsewhere.example/, which the model gateway" in str(failed)


@pytest.mark.parametrize(
    ("reason", "status", "expected"),
    [
        ("HostNotAllowed", 403, Reason.PROVIDER_ERROR),
        ("KeyNotGranted", 403, Reason.PROVIDER_ERROR),
        ("AddressNotAllowed", 403, Reason.PROVIDER_ERROR),
        ("KeyInAnswer", 403, Reason.OUTPUT_INVALID),
        ("KeyMissing", 403, Reason.KEY_MISSING),
        ("AnswerTooLarge", 413, Reason.OUTPUT_TOO_LARGE),
        ("TooLarge", 413, Reason.INPUT_TOO_LARGE),
        ("NoAnswer", 504, Reason.PROVIDER_ERROR),
    ],
)
def test_a_refusal_is_final(token: str, reason: str, status: int, expected: Reason) -> None:
    """S726: NoAnswer because a POST may have been processed."""
    with serving(refused(reason, status)) as server:
        failed = fail(URL, **by(server, token))
        assert len(server.asked) == 1
    assert failed.reason == expected
    assert f"the model gateway ({reason}): why" in str(failed)


@pytest.mark.parametrize(
    ("reply", "fields"),
    [
        pytest.param(refused("Unreachable", 502), {}, id="not-sent"),
        pytest.param(refused("TokenRefused", 401), {}, id="token"),
        pytest.param(refused("Busy", 503), {}, id="busy"),
        pytest.param(Reply(503, b"full"), {}, id="too-many-connections"),
        pytest.param(refused("NoAnswer", 504), {"method": "PUT"}, id="may-be-repeated"),
    ],
)
def test_a_refusal_that_passes(token: str, reply: Reply, fields: dict[str, Any]) -> None:
    """S726"""
    with serving(reply, Reply(200, b"{}", JSON)) as server:
        result = perform(URL, **by(server, token, **fields))
        assert len(server.asked) == 2
    assert result.usage is not None
    assert result.usage.provider_waits == 1


def test_the_gateway_says_how_long(token: str) -> None:
    """S726"""
    with serving(refused("Busy", 503, **{"Retry-After": "90"})) as server:
        failed = fail(URL, **by(server, token))
    assert failed.retry_after == 90


def test_a_pod_without_a_token(tmp_path: Path) -> None:
    """S720"""
    with serving(Reply()) as server:
        failed = fail(URL, **by(server, str(tmp_path / "none")))
        assert server.asked == []
    assert "no token for the model gateway: FileNotFoundError" in str(failed)


def test_no_gateway(token: str) -> None:
    """S726"""
    with serving(Reply()) as server:
        pass
    failed = fail(URL, **by(server, token))
    assert failed.reason == Reason.PROVIDER_ERROR
    assert "no connection: through the model gateway" in str(failed)
    assert "(4 tries)" in str(failed)


def test_a_gateway_that_the_pod_cannot_verify(
    token: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """S781"""
    monkeypatch.setenv("WAYPOST_TRUST", str(tmp_path / "none"))
    gateway = {"url": "https://10.0.0.1:8443/v1/http", "tokenFile": token}
    failed = fail(URL, gateway=gateway)
    assert failed.reason == Reason.PROVIDER_ERROR
    assert "this pod has no CA for it" in str(failed)


def test_no_proxy_gets_the_token(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """S720"""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving(Reply(200, b"{}", JSON)) as server:
        assert perform(URL, **by(server, token)).output
        assert len(server.asked) == 1


def test_asking_alone_is_as_before() -> None:
    """S720: without the model gateway nothing changes."""
    assert "gateway" not in (asking(URL).http or {})
