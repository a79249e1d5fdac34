"""S382, S383: the NetworkPolicy of a node's egress."""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.isolation.model import Isolation
from waypost.kube.egress.policy import EgressSettings, destination_problem, policy_of

SETTINGS = EgressSettings(
    gateway_namespace="waypost",
    gateway_labels=(("app.kubernetes.io/component", "gateway"),),
    gateway_address="http://10.96.0.7:8080",
    cluster_ranges=(ip_network("198.51.100.0/24"),),
)
GATEWAY = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "waypost"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/component": "gateway"}},
        }
    ],
    "ports": [{"protocol": "TCP", "port": 8080}],
}


def isolation(egress: str, *to: JsonObject, **allow: Any) -> Isolation:
    document: JsonObject = {"egress": egress}
    if to or allow:
        document["allow"] = {"to": list(to), **allow}
    return Isolation.model_validate(document)


def rules(egress: str, *to: JsonObject, settings: EgressSettings = SETTINGS, **allow: Any) -> Any:
    policy = policy_of(isolation(egress, *to, **allow), "team", settings)
    return policy["spec"].get("egress", [])


def block(cidr: str, *but: str, settings: EgressSettings = SETTINGS) -> JsonObject:
    given = {"cidr": cidr, "port": 443, "except": list(but)}
    found = rules("AllowList", given, settings=settings)
    return dict(found[-1]["to"][0]["ipBlock"])


def test_none_allows_nothing_in_and_nothing_out() -> None:
    spec = policy_of(isolation("None"), "team", SETTINGS)["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in spec
    assert "ingress" not in spec


def test_gateway_allows_the_pods_of_the_gateway_and_no_dns() -> None:
    """Not the address of its Service: plug-ins judge after its translation."""
    assert rules("Gateway") == [GATEWAY]


def test_a_list_allows_the_gateway_too() -> None:
    pods = {"pods": {"app": "models"}, "port": 8000}
    elsewhere = {**pods, "namespace": "models"}
    selected = {"podSelector": {"matchLabels": {"app": "models"}}}
    in_models = {"matchLabels": {"kubernetes.io/metadata.name": "models"}}
    port = [{"protocol": "TCP", "port": 8000}]
    assert rules("AllowList", pods, elsewhere) == [
        GATEWAY,
        {"to": [selected], "ports": port},
        {"to": [{"namespaceSelector": in_models, **selected}], "ports": port},
    ]


def test_dns_is_the_name_servers_of_the_cluster() -> None:
    local = replace(SETTINGS, dns_addresses=(ip_network("169.254.20.10"),))
    found = rules("AllowList", settings=local, dns=True)[-1]
    assert [peer.get("ipBlock") for peer in found["to"]] == [None, {"cidr": "169.254.20.10/32"}]
    assert found["ports"] == [
        {"protocol": "UDP", "port": 53},
        {"protocol": "TCP", "port": 53},
    ]


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "127.0.0.1"),
        *("10.0.0.1", "172.16.5.4", "192.168.1.1", "100.64.0.1", "198.51.100.9"),
    ],
)
def test_the_internet_is_without_the_cluster_metadata_and_private_networks(address: str) -> None:
    found = block("0.0.0.0/0")
    assert any(ip_address(address) in ip_network(part) for part in found["except"])
    assert not any(ip_address("203.0.113.7") in ip_network(part) for part in found["except"])


def test_ipv6_is_without_metadata_and_private_networks() -> None:
    found = block("::/0")["except"]
    assert {"fc00::/7", "fe80::/10", "::ffff:0:0/96", "64:ff9b::/96", "2002::/16"} <= set(found)


def test_each_exception_is_a_real_part_and_none_is_in_another() -> None:
    """The API server refuses others."""
    found = block("100.0.0.0/8", "100.64.0.0/11", "100.1.0.0/16")
    assert found["except"] == ["100.1.0.0/16", "100.64.0.0/10"]


def test_a_small_network_has_no_exceptions() -> None:
    assert block("203.0.113.7/32") == {"cidr": "203.0.113.7/32"}


@pytest.mark.parametrize(
    ("cidr", "listed", "words"),
    [
        pytest.param("203.0.113.0/24", (), "", id="public"),
        pytest.param("10.1.2.0/24", (), "networkPolicy.privateHosts", id="private"),
        pytest.param("10.1.2.0/24", ("10.1.0.0/16",), "", id="listed"),
        pytest.param("10.0.0.0/15", ("10.1.0.0/16",), "privateHosts", id="more-than-listed"),
        pytest.param("fd12::/64", (), "privateHosts", id="ipv6"),
        pytest.param("198.51.100.0/25", (), "a network of the cluster", id="cluster"),
        pytest.param(
            "198.51.100.0/25", ("198.51.100.0/24",), "network of the cluster", id="cluster-listed"
        ),
    ],
)
def test_what_the_installation_allows(cidr: str, listed: tuple[str, ...], words: str) -> None:
    settings = replace(SETTINGS, private_hosts=tuple(map(ip_network, listed)))
    given = isolation("AllowList", {"cidr": cidr, "port": 443})
    assert given.allow is not None
    assert given.allow.to is not None
    problem = destination_problem(given.allow.to[0], settings)
    assert words in problem
    assert bool(problem) == bool(words)


def test_a_listed_private_network_is_open_without_metadata() -> None:
    settings = replace(
        SETTINGS,
        private_hosts=(ip_network("10.0.0.0/8"),),
        cluster_ranges=(ip_network("10.244.0.0/16"),),
    )
    assert block("10.0.0.0/8", settings=settings) == {
        "cidr": "10.0.0.0/8",
        "except": ["10.244.0.0/16"],
    }


def test_the_name_follows_from_the_content() -> None:
    """S383: the same egress of many nodes is one object, and another is another."""
    made = [
        policy_of(isolation("None"), "team", SETTINGS),
        policy_of(isolation("Gateway"), "team", SETTINGS),
        policy_of(isolation("AllowList", {"cidr": "203.0.113.0/24", "port": 1}), "team", SETTINGS),
        policy_of(isolation("AllowList", {"cidr": "203.0.113.0/24", "port": 2}), "team", SETTINGS),
        policy_of(isolation("Gateway"), "team", replace(SETTINGS, gateway_namespace="other")),
    ]
    names = [policy["metadata"]["name"] for policy in made]
    assert len(set(names)) == len(names)
    assert names[1] == policy_of(isolation("Gateway"), "other", SETTINGS)["metadata"]["name"]
    for policy in made:
        label = policy["metadata"]["labels"]
        assert policy["spec"]["podSelector"] == {"matchLabels": label}
        assert policy["metadata"]["name"] == f"waypost-egress-{label[meta.LABEL_EGRESS]}"
