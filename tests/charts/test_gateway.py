"""The gateway of the chart: replicas that may go one by one, settings that reach it."""

import json

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
    assert not [m for m in default if (m["kind"], m["metadata"]["name"]) == ("NetworkPolicy", NAME)]
    policy = one(helm.manifests("gateway.networkPolicy.enabled=true"), "NetworkPolicy", NAME)
    payloads, metrics = policy["spec"]["ingress"]
    (peer,) = payloads["from"]
    assert peer["podSelector"]["matchExpressions"][0]["key"] == "waypost.dev/run"
    assert payloads["ports"] == [{"port": "payloads"}]
    assert metrics["ports"] == [{"port": "http"}]
