"""The gateway of the chart: replicas that may go one by one, settings that reach it."""

import json
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from waypost.gateway.settings import GatewaySettings
from waypost.settings import Settings

from tests.charts.conftest import Helm, Manifest, one

pytestmark = pytest.mark.chart

NAME = "wp-waypost-gateway"
STORE = {
    "bucket": "payloads",
    "prefix": "clusters/prod",
    "endpoint": "http://minio.storage:9000",
    "secretName": "payloads",
    "maxBytes": 50_000_000,
}


def container(manifests: list[Manifest], name: str) -> Manifest:
    """The container of a Deployment."""
    (found,) = one(manifests, "Deployment", name)["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def plain(block: Manifest) -> dict[str, str]:
    """Its environment, without what comes from Secrets."""
    return {each["name"]: each["value"] for each in block["env"] if "value" in each}


def test_two_replicas_of_which_one_may_go(default: list[Manifest]) -> None:
    deployment = one(default, "Deployment", NAME)
    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    budget = one(default, "PodDisruptionBudget", NAME)["spec"]
    assert budget["maxUnavailable"] == 1
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    operator = one(default, "Deployment", "wp-waypost")["spec"]["selector"]["matchLabels"]
    assert not operator.items() <= labels.items(), "nobody takes a gateway for an operator"


def test_the_operator_knows_where_it_is(helm: Helm, default: list[Manifest]) -> None:
    service = one(default, "Service", NAME)
    (port,) = [p["port"] for p in service["spec"]["ports"] if p["name"] == "payloads"]
    url = plain(container(default, "wp-waypost"))["WAYPOST_GATEWAY_URL"]
    assert url == f"http://{NAME}.waypost-system.svc:{port}"
    fixed = helm.manifests('gateway.clusterIP="10.96.255.80"')
    assert one(fixed, "Service", NAME)["spec"]["clusterIP"] == "10.96.255.80"
    reported = plain(container(fixed, "wp-waypost"))["WAYPOST_GATEWAY_URL"]
    assert reported == f"http://10.96.255.80:{port}", "for clusters without DNS"
    without = helm.manifests("gateway.enabled=false")
    assert plain(container(without, "wp-waypost"))["WAYPOST_GATEWAY_URL"] == ""
    assert not [m for m in without if m["metadata"]["name"].startswith(NAME)]
    assert "gateway_url" in Settings.model_fields


def test_its_environment_is_one_that_its_settings_take(
    helm: Helm, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = container(helm.manifests(f"gateway.objectStore={json.dumps(STORE)}"), NAME)
    for name, value in plain(block).items():
        monkeypatch.setenv(name, value)
    settings = GatewaySettings()
    assert (settings.s3_bucket, settings.s3_prefix) == ("payloads", "clusters/prod")
    assert settings.s3_endpoint == "http://minio.storage:9000"
    assert settings.s3_max_bytes == 50_000_000
    assert settings.s3_path_style is True
    ports = {port["name"]: port["containerPort"] for port in block["ports"]}
    assert ports == {"payloads": settings.gateway_port, "http": settings.http_port}
    known = {f"WAYPOST_{field}".upper() for field in GatewaySettings.model_fields}
    of_the_c_library = {"MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_"}
    assert set(plain(block)) - known == of_the_c_library


def test_keys_of_the_store_reach_the_gateway_alone(helm: Helm) -> None:
    manifests = helm.manifests(f"gateway.objectStore={json.dumps(STORE)}")
    secret = [each for each in container(manifests, NAME)["env"] if "valueFrom" in each]
    assert {each["name"] for each in secret} == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    for each in secret:
        assert each["valueFrom"]["secretKeyRef"] == {"name": "payloads", "key": each["name"]}
    for name in ("AWS_ACCESS_KEY_ID", "WAYPOST_S3_BUCKET"):
        assert name not in str(one(manifests, "Deployment", "wp-waypost"))


def test_a_policy_lets_nodes_in(helm: Helm, default: list[Manifest]) -> None:
    policy = one(default, "NetworkPolicy", NAME)
    payloads, metrics = policy["spec"]["ingress"]
    (peer,) = payloads["from"]
    assert peer["podSelector"]["matchExpressions"][0]["key"] == "waypost.dev/run"
    assert payloads["ports"] == [{"port": "payloads"}]
    assert metrics["ports"] == [{"port": "http"}]
    without = helm.manifests("gateway.networkPolicy.enabled=false")
    assert not [m for m in without if (m["kind"], m["metadata"]["name"]) == ("NetworkPolicy", NAME)]


def reached(policy: Manifest, address: str, port: int, protocol: str = "TCP") -> bool:
    """Whether a policy allows a connection to an address."""
    return any(
        _is_to(rule.get("to"), ip_address(address)) and _is_at(rule.get("ports"), port, protocol)
        for rule in policy["spec"]["egress"]
    )


def _is_to(peers: Any, address: Any) -> bool:
    blocks = [peer["ipBlock"] for peer in peers or ()]
    inside = [b for b in blocks if address in ip_network(b["cidr"])]
    out = [b for b in inside if any(address in ip_network(n) for n in b.get("except", ()))]
    return peers is None or len(inside) > len(out)


def _is_at(ports: Any, port: int, protocol: str) -> bool:
    return ports is None or any((p["port"], p["protocol"]) == (port, protocol) for p in ports)


API, METADATA = ("192.168.7.2", 6443), ("169.254.169.254", 80)
EGRESS: dict[str, tuple[str, list[tuple[str, int]], list[tuple[str, int]]]] = {
    "default": (
        "replicas=1",
        [API, ("10.96.0.1", 443)],
        [METADATA, ("169.254.169.254", 443), ("10.1.2.3", 8000), ("fd00:ec2::254", 443)],
    ),
    "api-server": (
        'networkPolicy.apiServer={"ranges":["192.168.7.2/32"],"ports":[6443]}',
        [API],
        [("10.96.0.1", 443), ("192.168.7.3", 6443), ("8.8.8.8", 443)],
    ),
    "aws": (
        f"gateway.objectStore={json.dumps({**STORE, 'endpoint': ''})}",
        [("52.1.1.1", 443)],
        [("52.1.1.1", 9000), ("169.254.169.254", 443)],
    ),
    "store": (
        f"gateway.objectStore={json.dumps(STORE)}",
        [("10.1.2.3", 9000), ("10.1.2.3", 80)],
        [METADATA, ("169.254.169.254", 443)],
    ),
}


@pytest.mark.parametrize(("value", "open_", "shut"), EGRESS.values(), ids=EGRESS)
def test_s639_where_it_connects(
    helm: Helm, value: str, open_: list[tuple[str, int]], shut: list[tuple[str, int]]
) -> None:
    policy = one(helm.manifests(value), "NetworkPolicy", NAME)
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert reached(policy, "10.96.0.10", 53, "UDP")
    assert [reached(policy, *one) for one in open_] == [True] * len(open_)
    assert [reached(policy, *one) for one in shut] == [False] * len(shut)


@pytest.mark.parametrize("of", ["gateway", "modelGateway"])
def test_s639_values_of_both_gateways(helm: Helm, of: str) -> None:
    name = {"gateway": NAME, "modelGateway": "wp-waypost-models"}[of]
    extra: list[Any] = [{"to": [{"podSelector": {}}]}]
    on = ("modelGateway.enabled=true", f"{of}.networkPolicy.extraEgress={json.dumps(extra)}")
    made = helm.manifests(*on)
    assert one(made, "NetworkPolicy", name)["spec"]["egress"][-1] == extra[0]
    assert plain(container(made, name))["WAYPOST_CHECK_SOURCE"] == "true"
    off = helm.manifests(*on, f"{of}.networkPolicy.egress=false", f"{of}.checkSource=false")
    assert one(off, "NetworkPolicy", name)["spec"]["policyTypes"] == ["Ingress"]
    assert "egress" not in one(off, "NetworkPolicy", name)["spec"]
    assert plain(container(off, name))["WAYPOST_CHECK_SOURCE"] == "false"
