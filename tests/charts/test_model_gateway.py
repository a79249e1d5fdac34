"""The model gateway of the chart: off by default, without a right to read Secrets, known to the
operator."""

import pytest
from waypost.model_gateway.settings import ModelGatewaySettings
from waypost.settings import Settings

from tests.charts.conftest import Helm, Manifest, one
from tests.charts.test_gateway import API, METADATA, container, plain, reached
from tests.charts.test_rbac import Grant, grants

pytestmark = pytest.mark.chart

NAME = "wp-waypost-models"
ON = "modelGateway.enabled=true"
RIGHTS: dict[Grant, str] = {
    ("", "pods", "get"): "is the pod of a token alive, and which attempt does it run",
    ("waypost.dev", "agentworkflows", "get"): "is that attempt current, and which models has it",
    ("waypost.dev", "modelproviders", "get"): "where a model is",
    ("waypost.dev", "toolservers", "get"): "where a tool server is, and which keys it takes",
    ("waypost.dev", "noderecords", "get"): "the definition of a run of a template",
}


def test_it_is_off_by_default(default: list[Manifest]) -> None:
    assert not [m for m in default if m["metadata"]["name"].startswith(NAME)]
    assert "WAYPOST_MODELS_URL" not in plain(container(default, "wp-waypost"))


def test_it_may_read_no_secret(helm: Helm) -> None:
    """S493: a Role of each namespace names those that it may read."""
    manifests = helm.manifests(ON)
    assert grants(one(manifests, "ClusterRole", NAME)) == set(RIGHTS)
    tokens = one(manifests, "ClusterRole", f"{NAME}-tokens")
    assert grants(tokens) == {("authentication.k8s.io", "tokenreviews", "create")}
    watched = helm.manifests(ON, 'watchNamespaces=["team-a"]')
    assert grants(one(watched, "Role", NAME)) == set(RIGHTS)
    assert one(watched, "Role", NAME)["metadata"]["namespace"] == "team-a"


def test_the_operator_knows_where_it_is(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = helm.manifests(ON, 'modelGateway.agents="All"')
    for name, value in plain(container(manifests, "wp-waypost")).items():
        monkeypatch.setenv(name, value)
    settings = Settings()  # type: ignore[call-arg]  # from the environment
    assert settings.models_url == f"http://{NAME}.waypost-system.svc:8080"
    assert settings.models_for_all
    assert settings.models_namespace == "waypost-system"
    pod = one(manifests, "Deployment", NAME)["spec"]["template"]["metadata"]["labels"]
    assert dict(pair.split("=") for pair in settings.models_labels).items() <= pod.items()
    fixed = helm.manifests(ON, 'modelGateway.clusterIP="10.96.255.81"')
    assert one(fixed, "Service", NAME)["spec"]["clusterIP"] == "10.96.255.81"


def test_its_environment_is_one_that_its_settings_take(
    helm: Helm, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = 'modelGateway.privateHosts=["10.1.0.0/16"]'
    hosts = 'modelGateway.identityHosts=["litellm.example.com:4000","[fd00::1]:80"]'
    block = container(helm.manifests(ON, private, hosts), NAME)
    for name, value in plain(block).items():
        monkeypatch.setenv(name, value)
    settings = ModelGatewaySettings()
    assert settings.private_hosts == ("10.1.0.0/16",)
    assert settings.identity_hosts == ("litellm.example.com:4000", "[fd00::1]:80")
    ports = {port["name"]: port["containerPort"] for port in block["ports"]}
    assert ports == {"calls": settings.models_port, "http": settings.http_port}
    known = {f"WAYPOST_{field}".upper() for field in ModelGatewaySettings.model_fields}
    assert set(plain(block)) <= known


def test_s795_durations_name_traces_if_the_operator_sends_them(helm: Helm) -> None:
    variable = "WAYPOST_EXEMPLARS"
    assert variable not in plain(container(helm.manifests(ON), NAME))
    traced = helm.manifests(ON, 'otlp.endpoint="http://collector:4318"')
    assert plain(container(traced, NAME))[variable] == "true"


def test_a_policy_lets_nodes_in(helm: Helm) -> None:
    policy = one(helm.manifests(ON), "NetworkPolicy", NAME)
    calls, metrics = policy["spec"]["ingress"]
    assert calls["from"][0]["podSelector"]["matchExpressions"][0]["key"] == "waypost.dev/run"
    assert (calls["ports"], metrics["ports"]) == ([{"port": "calls"}], [{"port": "http"}])


def test_s639_where_it_connects(helm: Helm) -> None:
    listed = 'modelGateway.privateHosts=["10.1.0.0/16"]'
    ranges = 'networkPolicy.clusterRanges=["203.0.113.0/24","2001:db8::/32"]'
    policy = one(helm.manifests(ON, listed, ranges), "NetworkPolicy", NAME)
    for address, port in (API, ("8.8.8.8", 8000), ("2606:4700::1", 443), ("10.1.2.3", 4000)):
        assert reached(policy, address, port), f"{address} {port}"
    shut = [METADATA, ("10.2.0.1", 80), ("100.100.100.200", 80), ("fd00:ec2::254", 80)]
    for address, port in [*shut, ("203.0.113.7", 80), ("2001:db8::1", 80), ("192.168.1.1", 8080)]:
        assert not reached(policy, address, port), f"{address} {port}"
