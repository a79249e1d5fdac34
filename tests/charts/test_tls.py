"""TLS of both gateways in the chart: off by default; no right to create Secrets; the operator gets
the certificates of the CA and no key."""

from typing import Any

import pytest
from waypost.gateway.settings import GatewaySettings
from waypost.model_gateway.settings import ModelGatewaySettings
from waypost.settings import Settings

from tests.charts.conftest import Helm, Manifest, one
from tests.charts.test_gateway import container, plain
from tests.charts.test_rbac import grants

pytestmark = pytest.mark.chart

BOTH = "modelGateway.enabled=true"
ALONE = 'identity.stamp="None"'  # the webhook has its own CA
SELF = 'tls.mode="SelfSigned"'
GATEWAY_POLICY = "gateway.networkPolicy.enabled=true"
CERT = ('tls.mode="CertManager"', 'tls.issuerRef={"name":"internal","kind":"ClusterIssuer"}')
GATEWAY, MODELS, OPERATOR, CA = (f"wp-waypost{part}" for part in ("-gateway", "-models", "", "-ca"))
ON = pytest.mark.parametrize(
    "sets", [pytest.param((SELF,), id="self-signed"), pytest.param(CERT, id="cert-manager")]
)


def pod(manifests: list[Manifest], name: str) -> Any:
    return one(manifests, "Deployment", name)["spec"]["template"]["spec"]


def ports(manifests: list[Manifest], name: str) -> dict[str, tuple[int, int]]:
    """Of Service and container, by name."""
    service = {p["name"]: p["port"] for p in one(manifests, "Service", name)["spec"]["ports"]}
    opened = {p["name"]: p["containerPort"] for p in container(manifests, name)["ports"]}
    assert set(service) == set(opened)
    return {key: (service[key], opened[key]) for key in service}


@pytest.mark.parametrize("value", ['"Off"', "false"], ids=["quoted", "as YAML reads it"])
def test_it_can_be_off(helm: Helm, value: str) -> None:
    manifests = helm.manifests(BOTH, ALONE, f"tls.mode={value}")
    assert not [m for m in manifests if m["kind"] in ("Secret", "Certificate")]
    assert ports(manifests, GATEWAY) == {"payloads": (8080, 8080), "http": (8081, 8081)}
    assert plain(container(manifests, OPERATOR))["WAYPOST_GATEWAY_URL"].startswith("http://")
    assert manifests == helm.manifests(BOTH, ALONE), "that is the default"


@ON
def test_both_gateways_use_it_and_the_operator_knows(
    helm: Helm, sets: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = helm.manifests(BOTH, *sets)
    assert ports(manifests, GATEWAY) == {"payloads": (8443, 8443), "http": (8081, 8081)}
    assert ports(manifests, MODELS) == {"calls": (8443, 8443), "http": (8081, 8081)}
    for name, value in plain(container(manifests, OPERATOR)).items():
        monkeypatch.setenv(name, value)
    settings = Settings()  # type: ignore[call-arg]  # from the environment
    assert settings.gateway_url == f"https://{GATEWAY}.waypost-system.svc:8443"
    assert settings.models_url == f"https://{MODELS}.waypost-system.svc:8443"
    assert settings.gateway_tls_name == f"{GATEWAY}.waypost-system.svc"
    assert settings.models_tls_name == f"{MODELS}.waypost-system.svc"
    assert str(settings.tls_ca) == "/waypost/tls/ca.crt"


@ON
def test_names_stay_when_pods_use_addresses(helm: Helm, sets: tuple[str, ...]) -> None:
    """S778"""
    fixed = ('gateway.clusterIP="10.96.255.80"', 'modelGateway.clusterIP="10.96.255.81"')
    found = plain(container(helm.manifests(BOTH, *sets, *fixed), OPERATOR))
    assert found["WAYPOST_GATEWAY_URL"] == "https://10.96.255.80:8443"
    assert found["WAYPOST_MODELS_URL"] == "https://10.96.255.81:8443"
    assert found["WAYPOST_GATEWAY_TLS_NAME"] == f"{GATEWAY}.waypost-system.svc"


@ON
def test_the_operator_gets_no_key(helm: Helm, sets: tuple[str, ...]) -> None:
    manifests = helm.manifests(BOTH, ALONE, *sets)
    [volume] = [v for v in pod(manifests, OPERATOR)["volumes"] if v["name"] == "tls"]
    assert volume["secret"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]
    assert not volume["secret"].get("optional"), "it starts once there is a CA"
    for role in (m for m in manifests if m["kind"] in ("Role", "ClusterRole")):
        if any(resource == "secrets" for _, resource, _ in grants(role)):
            assert role["metadata"]["name"] == CA


def test_the_secret_is_empty_and_only_the_gateways_may_read_and_fill_it(helm: Helm) -> None:
    """S779: nobody may create Secrets."""
    manifests = helm.manifests(BOTH, SELF)
    secret = one(manifests, "Secret", CA)
    assert not {"data", "stringData"} & set(secret), "an upgrade leaves what the gateways wrote"
    assert secret["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    role = one(manifests, "Role", CA)
    assert grants(role) == {("", "secrets", "get"), ("", "secrets", "patch")}
    assert [rule["resourceNames"] for rule in role["rules"]] == [[CA]]
    assert role["metadata"]["namespace"] == "waypost-system"
    subjects = one(manifests, "RoleBinding", CA)["subjects"]
    assert [subject["name"] for subject in subjects] == [GATEWAY, MODELS]
    alone = one(helm.manifests(SELF), "RoleBinding", CA)["subjects"]
    assert [subject["name"] for subject in alone] == [GATEWAY]


def test_the_settings_of_the_gateways(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = helm.manifests(BOTH, SELF, "tls.acceptPlain=true")
    for made, name in ((GatewaySettings, GATEWAY), (ModelGatewaySettings, MODELS)):
        for variable, value in plain(container(manifests, name)).items():
            monkeypatch.setenv(variable, value)
        settings = made()
        assert (settings.tls_secret, settings.tls_namespace) == (CA, "waypost-system")
        assert settings.tls_name == f"{name}.waypost-system.svc"
        assert settings.plain_port == 8080


def test_the_plain_port_for_the_upgrade(helm: Helm) -> None:
    """S782"""
    manifests = helm.manifests(BOTH, SELF, "tls.acceptPlain=true", GATEWAY_POLICY)
    for name, encrypted in ((GATEWAY, "payloads"), (MODELS, "calls")):
        assert ports(manifests, name)["plain"] == (8080, 8080)
        allowed = one(manifests, "NetworkPolicy", name)["spec"]["ingress"][0]["ports"]
        assert allowed == [{"port": encrypted}, {"port": "plain"}]
    without = one(helm.manifests(SELF, GATEWAY_POLICY), "NetworkPolicy", GATEWAY)
    assert without["spec"]["ingress"][0]["ports"] == [{"port": "payloads"}]


def test_certificates_of_cert_manager(helm: Helm) -> None:
    manifests = helm.manifests(BOTH, *CERT)
    for name in (GATEWAY, MODELS):
        spec = one(manifests, "Certificate", name)["spec"]
        assert spec["secretName"] == f"{name}-tls"
        assert spec["dnsNames"] == [f"{name}.waypost-system.svc"]
        assert spec["issuerRef"]["name"] == "internal"
        [volume] = [v for v in pod(manifests, name)["volumes"] if v["name"] == "tls"]
        assert volume["secret"]["secretName"] == f"{name}-tls"
        assert plain(container(manifests, name))["WAYPOST_TLS_FILES"] == "/waypost/tls"
    assert not [m for m in manifests if m["kind"] == "Secret"]


def test_an_issuer_is_needed(helm: Helm) -> None:
    done = helm.try_template('tls.mode="CertManager"')
    assert done.returncode != 0
    assert "needs tls.issuerRef.name" in done.stderr


def test_without_a_gateway_there_is_none(helm: Helm) -> None:
    manifests = helm.manifests(SELF, "gateway.enabled=false")
    assert not [m for m in manifests if m["metadata"]["name"] == CA]
    assert "tls" not in [v["name"] for v in pod(manifests, OPERATOR)["volumes"]]
