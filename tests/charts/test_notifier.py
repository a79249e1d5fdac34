"""The notifier of the chart: off by default, one pod, rights to read and one ConfigMap."""

import json
from typing import get_args

import pytest
from waypost.notifier.core.occurrences import Type
from waypost.notifier.settings import MOST_SINKS, NotifierSettings

from tests.charts.conftest import CHART, Helm, Manifest, one
from tests.charts.test_gateway import container, plain
from tests.charts.test_rbac import Grant, grants

pytestmark = pytest.mark.chart

NAME = "wp-waypost-notifier"
SINKS = [
    {
        "name": "chat",
        "urlFrom": {"name": "chat", "key": "webhook"},
        "format": "Slack",
        "report": ["ApprovalOpened", "RunFailed"],
        "namespaces": ["prod-*"],
    },
    {
        "name": "tickets",
        "url": "https://tickets.example/a?b=c",
        "format": "Json",
        "report": ["RunFailed"],
        "signingKeyFrom": {"name": "tickets", "key": "signing"},
    },
    {"name": "plain", "url": "https://plain.example", "format": "Teams", "report": ["RunFailed"]},
]
ON = (
    "notifications.enabled=true",
    f"notifications.sinks={json.dumps(SINKS)}",
    'notifications.uiUrl="https://waypost.example"',
    'notifications.privateHosts=["10.1.0.0/16"]',
)
RIGHTS: dict[Grant, str] = {
    ("waypost.dev", kind, verb): reason
    for kind in ("agentworkflows", "approvals", "agentworkflowschedules")
    for verb, reason in (
        ("list", "what occurred while it did not run"),
        ("watch", "what occurs now"),
    )
}
STATE: dict[Grant, str] = {
    ("", "configmaps", "get"): "what was delivered before this process",
    ("", "configmaps", "patch"): "what was delivered",
}


@pytest.fixture(scope="module")
def manifests(helm: Helm) -> list[Manifest]:
    return helm.manifests(*ON)


def test_it_is_off_by_default(default: list[Manifest]) -> None:
    assert not [m for m in default if m["metadata"]["name"].startswith(NAME)]


def test_it_may_read_three_kinds_and_write_one_configmap(
    helm: Helm, manifests: list[Manifest]
) -> None:
    """S731, S732"""
    assert grants(one(manifests, "ClusterRole", NAME)) == set(RIGHTS)
    watched = helm.manifests(*ON, 'watchNamespaces=["team-a"]')
    role = one(watched, "Role", NAME)
    assert (grants(role), role["metadata"]["namespace"]) == (set(RIGHTS), "team-a")
    for rendered in (manifests, watched):
        state = one(rendered, "Role", f"{NAME}-state")
        assert grants(state) == set(STATE)
        assert state["metadata"]["namespace"] == "waypost-system"
        [rule] = state["rules"]
        assert rule["resourceNames"] == [NAME]
        assert "data" not in one(rendered, "ConfigMap", NAME), "an upgrade leaves it as it is"
        bound = {
            binding["roleRef"]["name"]
            for binding in rendered
            if binding["kind"].endswith("RoleBinding")
            for subject in binding["subjects"]
            if subject["name"] == NAME
        }
        assert bound == {NAME, f"{NAME}-state"}


def test_one_pod_at_a_time(manifests: list[Manifest]) -> None:
    """S731"""
    spec = one(manifests, "Deployment", NAME)["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_its_environment_is_one_that_its_settings_take(
    helm: Helm, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = container(helm.manifests(*ON, 'watchNamespaces=["a","b"]'), NAME)
    for name, value in plain(block).items():
        monkeypatch.setenv(name, value)
    settings = NotifierSettings()  # type: ignore[call-arg]  # from the environment
    assert settings.namespaces == ("a", "b")
    assert settings.private_hosts == ("10.1.0.0/16",)
    assert settings.notifier_ui_url == "https://waypost.example"
    assert (settings.notifier_namespace, settings.notifier_state) == ("waypost-system", NAME)
    given = [one.model_dump(by_alias=True, exclude_unset=True) for one in settings.notifier_sinks]
    assert json.loads(json.dumps(given)) == SINKS
    assert block["args"] == ["notifier"]
    assert [port["containerPort"] for port in block["ports"]] == [settings.http_port]


def test_secrets_are_files_where_it_reads_them(manifests: list[Manifest]) -> None:
    """S734: each is optional, so that a missing one stops one sink."""
    pod = one(manifests, "Deployment", NAME)["spec"]["template"]["spec"]
    volumes = {v["name"]: v["projected"]["sources"] for v in pod["volumes"] if "projected" in v}
    [chat], [tickets] = volumes["sink-chat"], volumes["sink-tickets"]
    assert set(volumes) == {"sink-chat", "sink-tickets"}
    assert chat["secret"] == {
        "name": "chat",
        "optional": True,
        "items": [{"key": "webhook", "path": "url"}],
    }
    assert tickets["secret"]["items"] == [{"key": "signing", "path": "signing-key"}]
    assert tickets["secret"]["optional"] is True
    mounts = container(manifests, NAME)["volumeMounts"]
    paths = {m["name"]: m["mountPath"] for m in mounts if m["name"].startswith("sink-")}
    folder = NotifierSettings.model_fields["notifier_files"].default
    assert paths == {name: f"{folder}/{name.removeprefix('sink-')}" for name in volumes}


def test_nobody_connects_but_for_metrics(manifests: list[Manifest]) -> None:
    policy = one(manifests, "NetworkPolicy", NAME)["spec"]
    assert policy["ingress"] == [{"ports": [{"port": "http"}]}]


def test_the_schema_knows_what_the_notifier_knows() -> None:
    """S730"""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    sink = schema["definitions"]["sink"]["properties"]
    assert sink["report"]["items"]["enum"] == list(get_args(Type))
    assert schema["properties"]["notifications"]["properties"]["sinks"]["maxItems"] == MOST_SINKS
