"""What the gateway decides, without a cluster: addresses, hosts, headers, routes."""

from ipaddress import ip_network

import pytest
from waypost.api.provider import ModelProviderSpec
from waypost.kube.egress.addresses import AddressRules
from waypost.model_gateway.core import headers
from waypost.model_gateway.core.addresses import host_problem, hosts_of_secret
from waypost.model_gateway.core.refusals import CallRefused
from waypost.model_gateway.core.routing import host_of, model_at, target_of

from tests.model_gateway.place import agent_of

LISTED = AddressRules(private_hosts=(ip_network("10.1.0.0/16"), ip_network("169.254.0.0/16")))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        pytest.param("203.0.114.7", "", id="public"),
        pytest.param("2606:4700::1111", "", id="public-6"),
        pytest.param("10.1.2.3", "", id="listed"),
        pytest.param("10.2.2.3", "not public", id="private"),
        pytest.param("192.168.1.1", "not public", id="private-192"),
        pytest.param("100.64.0.1", "not public", id="carrier"),
        pytest.param("198.18.0.1", "not public", id="benchmark"),
        pytest.param("203.0.113.7", "not public", id="documentation"),
        pytest.param("fd00::1", "not public", id="private-6"),
        pytest.param("127.0.0.1", "127.0.0.0/8", id="loopback"),
        pytest.param("0.0.0.0", "0.0.0.0/8", id="any"),
        pytest.param("169.254.169.254", "169.254.0.0/16", id="metadata-though-listed"),
        pytest.param("100.100.100.200", "100.100.100.200", id="metadata-alibaba"),
        pytest.param("168.63.129.16", "168.63.129.16", id="azure"),
        pytest.param("192.0.0.192", "192.0.0.192", id="oracle"),
        pytest.param("fd00:ec2::254", "fd00:ec2::254", id="metadata-6"),
        pytest.param("::1", "::/96", id="loopback-6"),
        pytest.param("::ffff:203.0.114.7", "::ffff", id="mapped"),
        pytest.param("64:ff9b::203.0.114.7", "64:ff9b", id="translated"),
        pytest.param("2002:a01:203::1", "2002::/16", id="6to4"),
        pytest.param("fe80::1%eth0", "not an address", id="zone"),
        pytest.param("224.0.0.1", "224.0.0.0/4", id="multicast"),
        pytest.param("255.255.255.255", "240.0.0.0/4", id="broadcast"),
    ],
)
def test_addresses(address: str, words: str) -> None:
    """S494"""
    found = LISTED.problem(address)
    assert words in found
    assert bool(found) == bool(words)


@pytest.mark.parametrize(
    "host", ["2130706433", "127.1", "0x7f000001", "0x7f.1", "017700000001", "[::1]", "fe80::1%1"]
)
def test_addresses_in_disguise(host: str) -> None:
    """S494: no name ends with a number, so these are not looked up."""
    assert LISTED.literal_problem(host)


def test_a_name_is_looked_up() -> None:
    assert LISTED.literal_problem("models.example.com") == ""


@pytest.mark.parametrize(
    ("annotation", "host", "allowed"),
    [
        pytest.param("", "api.openai.com", True, id="public"),
        pytest.param("", "api.openai.com.evil.example", False, id="suffix"),
        pytest.param("", "evil.example", False, id="other"),
        pytest.param("a.example, B.example:8000", "b.example:8000", True, id="listed"),
        pytest.param("a.example", "a.example:8000", False, id="other-port"),
        pytest.param("a.example", "api.openai.com", False, id="the-list-replaces-the-default"),
        pytest.param("*.example", "a.example", False, id="no-patterns"),
    ],
)
def test_where_a_secret_may_go(annotation: str, host: str, allowed: bool) -> None:
    """S493"""
    hosts = hosts_of_secret(annotation, "OpenAI")
    assert (host_problem(host, hosts, secret="s") == "") is allowed


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://A.example:443/v1", "a.example"),
        ("http://a.example:80", "a.example"),
        ("https://a.example:80", "a.example:80"),
        ("http://[fd00::1]:8000/v1", "[fd00::1]:8000"),
    ],
)
def test_the_host_of_a_url(url: str, host: str) -> None:
    assert host_of(url) == host


def test_the_key_of_the_provider_comes_before_what_the_pod_sends() -> None:
    """S492"""
    given = [("X-Api-Key", "theirs"), ("Anthropic-Version", "2023-06-01"), ("Accept", "x" * 2000)]
    sent = headers.to_provider(given, type_="Anthropic", key="ours", own={"X-Team": "blue"})
    assert sent == {
        "anthropic-version": "2023-06-01",
        "accept-encoding": "identity",
        "x-api-key": "ours",
        "x-team": "blue",
    }


@pytest.mark.parametrize(
    ("path", "query", "url"),
    [
        pytest.param("v1beta/models/g:generateContent", "", "/g:generateContent", id="plain"),
        pytest.param(
            "v1beta/models/g:streamGenerateContent", "alt=sse", "/g:streamGenerateContent", id="sse"
        ),
        pytest.param("v1beta/models/g:countTokens", "", None, id="verb"),
        pytest.param("v1beta/models/h:generateContent", "", None, id="model"),
        pytest.param("v1beta/models/g:generateContent", "key=x", None, id="query"),
        pytest.param("v1beta/models/../x/g:generateContent", "", None, id="dots"),
    ],
)
def test_paths_of_google(path: str, query: str, url: str | None) -> None:
    """S491"""
    spec = ModelProviderSpec.model_validate({"type": "Google", "baseURL": "https://g.example"})
    if url is None:
        with pytest.raises(CallRefused):
            target_of(spec, "g", path=path, query=query)
        return
    found = target_of(spec, "g", path=path, query=query)
    assert found.url == f"https://g.example/v1beta/models{url}"


@pytest.mark.parametrize("path", ["draft", "draft/3"], ids=["node", "item"])
def test_the_model_of_a_node(path: str) -> None:
    """S491"""
    found = model_at(agent_of("small", "large"), path=path, position=1)
    assert (found.provider, found.name) == ("scripted", "large")


def test_a_node_that_is_no_agent() -> None:
    """S491"""
    definition = {"nodes": [{"name": "a", "python": {"source": "def run(): pass"}}]}
    with pytest.raises(CallRefused, match="only agents call models"):
        model_at(definition, path="a", position=0)
