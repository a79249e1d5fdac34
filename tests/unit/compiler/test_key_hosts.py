"""S625: an http node that sends a key to a host that data choose gets a warning."""

from typing import Any

import pytest
from waypost.compiler.definition import define

from tests.support.builders import http, spec

KEY = {"name": "crm", "key": "token"}
BEARER = {"auth": {"bearer": KEY}}
LIST = {"egress": "AllowList", "allow": {"to": [{"cidr": "203.0.113.0/24", "port": 443}]}}
INPUTS = {"inputs": {"host": "x", "id": "7"}}


def found(url: str, isolation: Any = None, **fields: Any) -> list[str]:
    """The places with a warning about a key."""
    given = {"isolation": isolation} if isolation is not None else {}
    node = http("a", **given)
    node["http"] = {"url": url, **fields}
    problems = define(spec(node, **INPUTS)).problems
    assert [one for one in problems if one.severity == "error"] == []
    return [one.field for one in problems if "and the node sends the key" in one.message]


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        pytest.param("${inputs.host}", BEARER, id="whole-url"),
        pytest.param("${inputs.host}/v1", BEARER, id="beginning"),
        pytest.param("https://${inputs.host}/v1", BEARER, id="host"),
        pytest.param("https://${inputs.host}.example.com/v1", BEARER, id="part-of-the-host"),
        pytest.param("https://api.example.com:${inputs.id}/v1", BEARER, id="port"),
        pytest.param("https://api.example.com${inputs.id}", BEARER, id="no-slash"),
        pytest.param("${inputs.host}", {"auth": {"basic": {"name": "crm"}}}, id="basic"),
        pytest.param(
            "${inputs.host}",
            {"headers": [{"name": "X-Key", "valueFrom": {"secretKeyRef": KEY}}]},
            id="header",
        ),
    ],
)
def test_data_choose_who_gets_the_key(url: str, fields: Any) -> None:
    assert found(url, **fields) == ["nodes.a.http.url"]


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        pytest.param("https://api.example.com/v1/${inputs.id}", BEARER, id="path"),
        pytest.param("HTTPS://api.example.com?q=${inputs.id}", BEARER, id="query"),
        pytest.param("https://api.example.com/", BEARER, id="text"),
        pytest.param("${'https://api.example.com/'}", BEARER, id="constant"),
        pytest.param("${inputs.host}", {}, id="no-key"),
        pytest.param(
            "${inputs.host}",
            {"headers": [{"name": "X-Mode", "value": "${inputs.id}"}]},
            id="header-without-a-key",
        ),
        pytest.param(
            "${inputs.host}",
            {
                "headers": [
                    {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
                ]
            },
            id="header-of-a-config-map",
        ),
    ],
)
def test_nobody_else_gets_it(url: str, fields: Any) -> None:
    assert found(url, **fields) == []


def test_with_the_model_gateway_the_host_is_text() -> None:
    """S721: an error, so no warning beside it."""
    node = http("a", isolation={"egress": "Gateway"})
    node["http"] = {"url": "${inputs.host}", **BEARER}
    problems = define(spec(node, **INPUTS)).problems
    assert [(one.severity, one.field) for one in problems] == [("error", "nodes.a.http.url")]


def test_a_list_of_destinations_decides() -> None:
    assert found("${inputs.host}", LIST, **BEARER) == []
