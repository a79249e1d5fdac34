"""The archive of the chart: off by default, and it may write one condition."""

import pytest
from waypost.api.status import AgentWorkflowStatus
from waypost.archive.settings import ArchiveSettings
from waypost.settings import Settings

from tests.charts.conftest import Helm, Manifest, one
from tests.charts.test_gateway import container, plain
from tests.charts.test_rbac import Grant, check_service_rights

pytestmark = pytest.mark.chart

NAME = "wp-waypost-archive"
ON = "archive.enabled=true"
POSTGRES = 'archive.database.secretName="history"'
RIGHTS: dict[Grant, str] = {
    ("waypost.dev", "agentworkflows", "list"): "which runs have changed, by metadata; child runs",
    ("waypost.dev", "agentworkflows", "get"): "the run to archive",
    ("waypost.dev", "agentworkflows/status", "patch"): "the condition Archived; see the policy",
    ("waypost.dev", "approvals", "list"): "they are a part of the document",
    ("waypost.dev", "noderecords", "list"): "which ones does a run have, by metadata",
    ("waypost.dev", "noderecords", "get"): "they are a part of the document",
}


def test_it_is_off_by_default(default: list[Manifest]) -> None:
    """S710: then no TTL waits for it."""
    assert not [m for m in default if m["metadata"]["name"].startswith(NAME)]
    operator = plain(container(default, "wp-waypost"))
    assert "WAYPOST_ARCHIVE_BEFORE_DELETION" not in operator


def test_the_operator_waits_for_it(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    """S710"""
    for name, value in plain(container(helm.manifests(ON), "wp-waypost")).items():
        monkeypatch.setenv(name, value)
    assert Settings().archive_before_deletion  # type: ignore[call-arg]


def test_its_rights(helm: Helm) -> None:
    """S717: none to ask about others, so that it cannot tell what they may do."""
    check_service_rights(helm, (ON,), NAME, RIGHTS)


def test_the_policy_names_every_field_of_a_status(helm: Helm, default: list[Manifest]) -> None:
    """S717: a field that is added must not be one that the archive may write."""
    policy = one(helm.manifests(ON), "ValidatingAdmissionPolicy", NAME)
    fields, conditions = policy["spec"]["validations"]
    names = {info.alias or name for name, info in AgentWorkflowStatus.model_fields.items()}
    for name in names - {"conditions"}:
        assert f"object.status.?{name} == oldObject.status.?{name}" in " ".join(
            fields["expression"].split()
        )
    assert "c.type != 'Archived'" in conditions["expression"]
    assert one(helm.manifests(ON), "ValidatingAdmissionPolicyBinding", NAME)
    assert not [m for m in default if m["metadata"]["name"] == NAME]


@pytest.mark.parametrize(
    "sets", [(ON,), (ON, 'watchNamespaces=["a","b"]'), (ON, "archive.retentionDays=90")]
)
def test_its_environment_is_one_that_its_settings_take(
    helm: Helm, monkeypatch: pytest.MonkeyPatch, sets: tuple[str, ...]
) -> None:
    block = container(helm.manifests(*sets), NAME)
    for name, value in plain(block).items():
        monkeypatch.setenv(name, value)
    settings = ArchiveSettings()
    ports = {port["name"]: port["containerPort"] for port in block["ports"]}
    assert ports == {"api": settings.archive_port, "http": settings.http_port}
    assert block["args"] == ["archive", "serve"]
    assert settings.namespaces == (("a", "b") if len(sets) > 1 and "watch" in sets[1] else ())
    assert settings.archive_retention_days == (90 if "archive.retentionDays=90" in sets else 0)


def test_sqlite_on_a_volume(helm: Helm) -> None:
    """One writer, and history outlives the release."""
    manifests = helm.manifests(ON)
    deployment = one(manifests, "Deployment", NAME)["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    block = container(manifests, NAME)
    place = plain(block)["WAYPOST_ARCHIVE_DATABASE"]
    [mount] = [m for m in block["volumeMounts"] if m["name"] == "data"]
    assert place.removeprefix("sqlite:///").startswith(mount["mountPath"] + "/")
    claim = one(manifests, "PersistentVolumeClaim", NAME)
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    own = helm.manifests(ON, 'archive.storage.existingClaim="mine"')
    assert not [m for m in own if m["kind"] == "PersistentVolumeClaim"]
    volumes = one(own, "Deployment", NAME)["spec"]["template"]["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "mine"}} in volumes


def test_postgresql_by_a_secret(helm: Helm) -> None:
    manifests = helm.manifests(ON, POSTGRES)
    assert not [m for m in manifests if m["kind"] == "PersistentVolumeClaim"]
    block = container(manifests, NAME)
    assert "WAYPOST_ARCHIVE_DATABASE" not in plain(block)
    [found] = [one for one in block["env"] if one["name"] == "WAYPOST_ARCHIVE_DATABASE"]
    assert found["valueFrom"] == {"secretKeyRef": {"name": "history", "key": "url"}}
    volumes = one(manifests, "Deployment", NAME)["spec"]["template"]["spec"]["volumes"]
    assert [volume["name"] for volume in volumes] == ["tmp"]


def test_who_may_connect(helm: Helm) -> None:
    peer = 'archive.networkPolicy.from=[{"podSelector":{"matchLabels":{"app":"x"}}}]'
    api, metrics = one(helm.manifests(ON, peer), "NetworkPolicy", NAME)["spec"]["ingress"]
    assert api["from"] == [{"podSelector": {}}, {"podSelector": {"matchLabels": {"app": "x"}}}]
    assert api["ports"] == [{"port": "api"}]
    assert metrics == {"ports": [{"port": "http"}]}
    service = one(helm.manifests(ON), "Service", NAME)
    assert [port["name"] for port in service["spec"]["ports"]] == ["api", "http"]
