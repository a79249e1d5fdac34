"""S381, S382: which egress is refused before a run is accepted."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.api.isolation.model import Isolation, merged
from waypost.compiler.definition import define

from tests.support.builders import agent, container, http, python, spec, wait

WEB = {"cidr": "203.0.113.0/24", "port": 443}
MODELS = {"pods": {"app": "models"}, "namespace": "models", "port": 8000}


def allowing(*to: JsonObject, **fields: Any) -> JsonObject:
    return {"egress": "AllowList", "allow": {"to": list(to), **fields}}


GATEWAY: JsonObject = {"egress": "Gateway"}


def problems(*nodes: JsonObject, **fields: Any) -> list[str]:
    given = {"inputs": {"h": "x"}} | fields
    return [str(problem) for problem in define(spec(*nodes, **given)).problems]


LARGE = {"name": "a", "container": {"image": "work:1", "largeOutput": True}}
ARTIFACTS = {"out": [{"name": "site", "path": "/out"}]}


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(python("a", isolation={"egress": "None"}), id="none"),
        pytest.param(container("a", isolation={"egress": "Gateway"}), id="gateway"),
        pytest.param(
            python("a", artifacts=ARTIFACTS, isolation={"egress": "Gateway"}), id="folder"
        ),
        pytest.param(agent("a", isolation={"egress": "Inherit"}), id="inherit"),
        pytest.param(agent("a", isolation={"egress": "Gateway"}), id="agent-with-the-gateways"),
        pytest.param(agent("a", isolation=allowing(WEB, MODELS)), id="agent-with-a-list"),
        pytest.param(http("a", isolation=allowing(WEB)), id="http-with-a-list"),
        pytest.param(http("a", isolation=GATEWAY), id="http-with-the-gateways"),
        pytest.param(
            http("a", url="https://api.example.com/v1/${inputs.h}?q=1", isolation=GATEWAY),
            id="http-with-data-in-the-path",
        ),
        pytest.param(python("a", isolation=allowing(dns=True)), id="dns"),
        pytest.param(
            python("a", isolation=allowing({**WEB, "except": ["203.0.113.7/32"]})), id="except"
        ),
        pytest.param(
            python("a", isolation=allowing({"cidr": "0.0.0.0/0", "port": 443})), id="internet"
        ),
        pytest.param(python("a", isolation=allowing({"cidr": "::/0", "port": 443})), id="ipv6"),
        pytest.param(
            python("a", isolation=allowing({"cidr": "10.1.2.3/32", "port": 5432})),
            id="private-is-for-the-installation-to-say",
        ),
    ],
)
def test_egress_that_is_accepted(node: JsonObject) -> None:
    assert problems(node) == []


@pytest.mark.parametrize(
    ("node", "words"),
    [
        pytest.param(agent("a", isolation={"egress": "None"}), "no agent node work", id="agent"),
        pytest.param(http("a", isolation={"egress": "None"}), "no http node work", id="http"),
        pytest.param(
            http("a", url="https://${inputs.h}/x", isolation=GATEWAY),
            "expected scheme and host as text",
            id="host-of-data",
        ),
        pytest.param(
            http("a", url="https://api.example.com${inputs.h}", isolation=GATEWAY),
            "expected scheme and host as text",
            id="host-without-an-end",
        ),
        pytest.param(
            http("a", url="${inputs.h}", isolation=GATEWAY), "scheme and host", id="url-of-data"
        ),
        pytest.param(
            http("a", headers=[{"name": "X-Forwarded-For", "value": "1"}], isolation=GATEWAY),
            "headers[0].name: the model gateway does not send X-Forwarded-For",
            id="header",
        ),
        pytest.param(
            {**LARGE, "isolation": {"egress": "None"}},
            "largeOutput",
            id="large",
        ),
        pytest.param(
            python("a", artifacts=ARTIFACTS, isolation={"egress": "None"}), "artifacts", id="folder"
        ),
        pytest.param(
            python("a", isolation={"egress": "AllowList"}), "allow: is missing", id="no-list"
        ),
        pytest.param(python("a", isolation=allowing()), "allows nothing", id="empty-list"),
        pytest.param(
            python("a", isolation={"verify": "Required"}), "verify: is only used", id="verify-what"
        ),
        pytest.param(
            python("a", isolation={"egress": "None", "allow": {"dns": True}}),
            "only used with egress: AllowList",
            id="list-without-its-mode",
        ),
        pytest.param(
            python("a", isolation=allowing({"port": 1})), "found none of them", id="no-destination"
        ),
        pytest.param(
            python("a", isolation=allowing({**WEB, **MODELS})), "found both", id="two-destinations"
        ),
        pytest.param(
            python("a", isolation=allowing({"pods": {}, "port": 1})), "has no label", id="all-pods"
        ),
        pytest.param(
            python("a", isolation=allowing({**MODELS, "except": ["10.0.0.0/8"]})),
            "except: is only used with cidr",
            id="except-of-pods",
        ),
        pytest.param(
            python("a", isolation=allowing({**WEB, "namespace": "b"})),
            "namespace: is only used with pods",
            id="namespace-of-a-network",
        ),
        pytest.param(
            python("a", isolation=allowing({"cidr": "203.0.113.7/24", "port": 1})),
            "without bits behind the prefix",
            id="host-bits",
        ),
        pytest.param(
            python("a", isolation=allowing({"cidr": "api.example.com", "port": 1})),
            "expected a network",
            id="name",
        ),
        pytest.param(
            python("a", isolation=allowing({**WEB, "except": ["198.51.100.0/24"]})),
            "expected a part of 203.0.113.0/24",
            id="except-outside",
        ),
    ],
)
def test_egress_that_is_refused(node: JsonObject, words: str) -> None:
    found = problems(node)
    assert len(found) == 1, found
    assert "nodes.a.isolation" in found[0] or "nodes.a.http." in found[0]
    assert words in found[0]


@pytest.mark.parametrize(
    "cidr",
    [
        pytest.param("169.254.169.254/32", id="metadata"),
        pytest.param("169.254.0.0/16", id="link-local"),
        pytest.param("100.100.100.200/32", id="metadata-of-alibaba"),
        pytest.param("168.63.129.16/32", id="wire-server-of-azure"),
        pytest.param("127.0.0.1/32", id="loopback"),
        pytest.param("0.0.0.0/32", id="this-host"),
        pytest.param("fd00:ec2::254/128", id="metadata-ipv6"),
        pytest.param("::ffff:169.254.169.254/128", id="mapped"),
        pytest.param("64:ff9b::a9fe:a9fe/128", id="nat64"),
        pytest.param("2002:a9fe:a9fe::/48", id="6to4"),
        pytest.param("fe80::/64", id="link-local-ipv6"),
        pytest.param("::1/128", id="loopback-ipv6"),
        pytest.param("224.0.0.1/32", id="multicast"),
    ],
)
def test_addresses_that_no_node_may_reach(cidr: str) -> None:
    """S382."""
    [found] = problems(python("a", isolation=allowing({"cidr": cidr, "port": 80})))
    assert "no node may reach it" in found


def test_defaults_are_checked_with_each_node_that_has_a_pod() -> None:
    """S380: a node of another kind has no egress."""
    found = problems(
        agent("a"),
        python("b"),
        wait("c", duration="1s"),
        defaults={"isolation": {"egress": "None"}},
    )
    assert [one.partition(":")[0] for one in found] == ["nodes.a.isolation.egress"]


def test_a_mode_of_the_node_replaces_the_list_of_the_defaults() -> None:
    """S380."""
    base = Isolation.model_validate(allowing(WEB))
    own = Isolation.model_validate({"egress": "None"})
    assert merged(base, own).allow is None
    kept = merged(base, Isolation.model_validate({"tmp": "1Gi"}))
    assert kept.allow is not None
    assert kept.egress == "AllowList"
