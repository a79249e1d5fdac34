"""http nodes: the request their pod is asked to make."""

from typing import Any

import pytest
from waypost.api.base import JsonObject

from tests.support.builders import http, spec
from tests.support.play import Play, launches
from tests.unit.engine.nodes.test_agent import asked, pod_of

SECRET = {"secretKeyRef": {"name": "s", "key": "k"}}


def request_of(node: JsonObject, **fields: Any) -> JsonObject:
    """The `http` part of the request."""
    found: JsonObject = asked(launches(Play(spec(node, **fields)).step())[0].job)["http"]
    return found


def test_a_plain_get() -> None:
    assert request_of(http("a")) == {
        "method": "GET",
        "url": "https://example.com/",
        "query": {},
        "headers": [],
        "maxBytes": 1048576,
        "effect": "none",
    }


@pytest.mark.parametrize(
    ("url", "becomes"),
    [
        pytest.param("https://x/${inputs.q}", "https://x/a%2F%3Fb%20c", id="encoded-in-the-path"),
        pytest.param("${inputs.base}/y", "https://z/y", id="as-it-is-at-the-beginning"),
    ],
)
def test_expressions_in_the_address(url: str, becomes: str) -> None:
    assert (
        request_of(http("a", url=url), inputs={"q": "a/?b c", "base": "https://z"})["url"]
        == becomes
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        pytest.param({"url": "${inputs.bad}"}, "expected an http or https URL", id="scheme"),
        pytest.param({"url": "https://x/${inputs.none}"}, "http.url: ", id="null-in-the-address"),
        pytest.param({"query": {"q": "${inputs.none}"}}, "http.query.q: ", id="null-in-a-query"),
        pytest.param(
            {"headers": [{"name": "A", "value": "${inputs.lines}"}]},
            "http.headers[0].value: a header cannot hold a line break",
            id="header-smuggling",
        ),
    ],
)
def test_a_request_that_cannot_be_made(fields: JsonObject, says: str) -> None:
    given = {"bad": "file:///etc/passwd", "none": None, "lines": "a\r\nHost: b"}
    run = Play(spec(http("a", **fields), inputs=given))
    run.step()
    assert run.reasons == {"a": "InputInvalid"}
    assert says in (run.node("a").message or "")


def test_body_headers_auth_and_ca() -> None:
    node = http(
        "a",
        method="POST",
        body={"n": "${inputs.n}", "none": None},
        headers=[
            {"name": "X-A", "value": "n is ${inputs.n}"},
            {"name": "X-B", "valueFrom": SECRET},
        ],
        auth={"basic": {"name": "login", "passwordKey": "pw"}},
        successCodes=[201],
        responseSchema={"type": "object"},
        tls={"caSecret": {"name": "ca", "key": "ca.crt"}},
    )
    run = Play(spec(node, inputs={"n": 3}))
    job = launches(run.step())[0].job
    request = asked(job)["http"]
    assert request["body"] == {"n": 3, "none": None}, "JSON keeps the type of a lone expression"
    assert request["headers"] == [
        {"name": "X-A", "value": "n is 3"},
        {"name": "X-B", "file": "/waypost/secrets/http/1"},
    ]
    assert request["auth"] == {
        "usernameFile": "/waypost/secrets/http/username",
        "passwordFile": "/waypost/secrets/http/password",
    }
    assert (request["successCodes"], request["responseSchema"]) == ([201], {"type": "object"})
    assert request["caFile"] == "/waypost/secrets/http/ca"
    pod = pod_of(job)["spec"]
    assert pod["containers"][0]["image"] == "runner:test"
    [volume] = [v for v in pod["volumes"] if v["name"] == "secrets"]
    named = {source["secret"]["name"] for source in volume["projected"]["sources"]}
    assert named == {"s", "login", "ca"}


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        pytest.param({}, None, id="default"),
        pytest.param({"bigIntegers": "Refuse"}, None, id="refuse"),
        pytest.param({"bigIntegers": "AsText"}, "AsText", id="as-text"),
    ],
)
def test_big_integers(declared: JsonObject, sent: str | None) -> None:
    assert request_of(http("a", **declared)).get("bigIntegers") == sent


@pytest.mark.parametrize(
    ("method", "declared", "effect"),
    [
        pytest.param("GET", None, "none", id="get"),
        pytest.param("PUT", None, "idempotent", id="put"),
        pytest.param("DELETE", None, "idempotent", id="delete"),
        pytest.param("POST", None, "once", id="post"),
        pytest.param("PATCH", None, "once", id="patch"),
        pytest.param("POST", "idempotent", "idempotent", id="declared"),
    ],
)
def test_effect_follows_the_method(method: str, declared: str | None, effect: str) -> None:
    fields = {"effect": declared} if declared else {}
    assert request_of(http("a", method=method, **fields))["effect"] == effect
