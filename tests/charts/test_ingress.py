"""The ingress of the chart: off by default, without a right to create runs or to read Secrets."""

import pytest
from waypost.ingress.settings import IngressSettings

from tests.charts.conftest import Helm, Manifest, one
from tests.charts.test_gateway import container, plain
from tests.charts.test_rbac import Grant, check_service_rights

pytestmark = pytest.mark.chart

NAME = "wp-waypost-ingress"
ON = "ingress.enabled=true"
RIGHTS: dict[Grant, str] = {
    ("waypost.dev", "eventsources", "list"): "who may send, and what becomes of it",
    ("waypost.dev", "workflowevents", "create"): "the event of a request",
    ("waypost.dev", "workflowevents", "get"): "is a known id from this source; what became of it",
}


def test_it_is_off_by_default(default: list[Manifest]) -> None:
    assert not [m for m in default if m["metadata"]["name"].startswith(NAME)]


def test_it_may_create_events_and_nothing_else(helm: Helm) -> None:
    """S674: no run, no status, no Secret; a Role of each namespace names those that it may read."""
    check_service_rights(helm, (ON,), NAME, RIGHTS)


def test_its_environment_is_one_that_its_settings_take(
    helm: Helm, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = 'ingress.privateHosts=["10.1.0.0/16","10.2.0.0/16"]'
    block = container(helm.manifests(ON, 'watchNamespaces=["a","b"]', private), NAME)
    for name, value in plain(block).items():
        monkeypatch.setenv(name, value)
    settings = IngressSettings()
    assert settings.namespaces == ("a", "b")
    assert settings.private_hosts == ("10.1.0.0/16", "10.2.0.0/16")
    ports = {port["name"]: port["containerPort"] for port in block["ports"]}
    assert ports == {"events": settings.ingress_port, "http": settings.http_port}
    assert block["args"] == ["ingress"]


def test_who_may_connect(helm: Helm) -> None:
    policy = one(helm.manifests(ON), "NetworkPolicy", NAME)
    events, metrics = policy["spec"]["ingress"]
    assert events == {"ports": [{"port": "events"}]}, "senders are outside of the cluster"
    assert metrics == {"ports": [{"port": "http"}]}
    only = 'ingress.networkPolicy.from=[{"podSelector":{"matchLabels":{"app":"nginx"}}}]'
    limited = one(helm.manifests(ON, only), "NetworkPolicy", NAME)
    assert limited["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"] == {
        "app": "nginx"
    }


def test_an_ingress_leads_to_its_service(helm: Helm) -> None:
    plain_chart = helm.manifests(ON)
    assert not [m for m in plain_chart if m["kind"] == "Ingress"]
    manifests = helm.manifests(
        ON, 'ingress.host="hooks.example"', 'ingress.tlsSecretName="hooks-tls"'
    )
    spec = one(manifests, "Ingress", NAME)["spec"]
    [rule] = spec["rules"]
    [path] = rule["http"]["paths"]
    assert (rule["host"], path["path"]) == ("hooks.example", "/v1/events")
    assert spec["tls"] == [{"hosts": ["hooks.example"], "secretName": "hooks-tls"}]
    service = one(manifests, "Service", NAME)
    assert path["backend"]["service"] == {"name": NAME, "port": {"name": "events"}}
    assert "events" in [port["name"] for port in service["spec"]["ports"]]


@pytest.mark.parametrize("host", ["hooks.example", ""], ids=["of-a-host", "of-all-hosts"])
def test_a_route_of_gateways_takes_the_place_of_an_ingress(helm: Helm, host: str) -> None:
    gateways = 'ingress.gateways=[{"name":"public","namespace":"infra","sectionName":"https"}]'
    manifests = helm.manifests(ON, gateways, f'ingress.host="{host}"')
    assert not [m for m in manifests if m["kind"] == "Ingress"]
    spec = one(manifests, "HTTPRoute", NAME)["spec"]
    assert spec["parentRefs"] == [{"name": "public", "namespace": "infra", "sectionName": "https"}]
    assert spec.get("hostnames", []) == [host] * bool(host)
    [rule] = spec["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/v1/events"}}]
    ports = [port["port"] for port in one(manifests, "Service", NAME)["spec"]["ports"]]
    assert [(to["name"], to["port"] in ports) for to in rule["backendRefs"]] == [(NAME, True)]


def test_only_the_ingress_says_that_an_event_has_a_source(default: list[Manifest]) -> None:
    """S674"""
    policy = one(default, "ValidatingAdmissionPolicy", "wp-waypost-event-sources")
    [rule] = policy["spec"]["validations"]
    assert f"'system:serviceaccount:waypost-system:{NAME}'" in rule["expression"]
    assert one(default, "ValidatingAdmissionPolicyBinding", "wp-waypost-event-sources")
