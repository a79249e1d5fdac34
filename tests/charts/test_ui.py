"""The web interface of the chart: off by default, without a right and without a token."""

import json

import pytest
from typer.testing import CliRunner
from waypost.ui.command import app

from tests.charts.conftest import Helm, Manifest, one
from tests.charts.test_render import container

pytestmark = pytest.mark.chart

NAME = "wp-waypost-ui"
ON = "ui.enabled=true"


def pod(manifests: list[Manifest]) -> Manifest:
    found = one(manifests, "Deployment", NAME)["spec"]["template"]["spec"]
    assert isinstance(found, dict)
    return found


def test_it_is_off_by_default(default: list[Manifest]) -> None:
    assert not [m for m in default if m["metadata"]["name"].startswith(NAME)]


@pytest.mark.parametrize("sets", [(), ('watchNamespaces=["team-a"]',), ("policies.bounds=true",)])
def test_s656_its_account_has_no_right_and_its_pod_no_token(
    helm: Helm, sets: tuple[str, ...]
) -> None:
    manifests = helm.manifests(ON, *sets)
    roles = [m for m in manifests if m["kind"].endswith(("Role", "RoleBinding"))]
    assert roles
    assert NAME not in json.dumps([(m["metadata"]["name"], m.get("subjects")) for m in roles])
    assert one(manifests, "ServiceAccount", NAME)["automountServiceAccountToken"] is False
    spec = pod(manifests)
    assert spec["serviceAccountName"] == NAME
    assert spec["automountServiceAccountToken"] is False
    sources = {name for volume in spec["volumes"] for name in volume if name != "name"}
    assert sources == {"configMap", "emptyDir"}, "no Secret and no projected token"
    assert "env" not in container(one(manifests, "Deployment", NAME))


def test_its_arguments_are_ones_that_the_command_takes(helm: Helm) -> None:
    sets = (
        'ui={"enabled":true,"login":"Proxy","readOnly":true,"prefix":"/team/w","hosts":["w.example"]}',
        'watchNamespaces=["team-a"]',
    )
    block = container(one(helm.manifests(*sets), "Deployment", NAME))
    command, *arguments = block["args"]
    assert command == "ui"
    assert arguments == [
        "serve",
        "--login=proxy",
        "--ca-file=/etc/waypost/ca/ca.crt",
        "--read-only",
        "--prefix=/team/w",
        "--allow-host=w.example",
        "--offer=team-a",
    ]
    help_ = CliRunner().invoke(app, ["serve", "--help"]).output
    for argument in arguments[1:]:
        assert argument.partition("=")[0] in help_
    (mount,) = (one for one in block["volumeMounts"] if one["name"] == "ca")
    assert arguments[2] == f"--ca-file={mount['mountPath']}/ca.crt"
    plain = container(one(helm.manifests(ON), "Deployment", NAME))["args"]
    assert plain == ["ui", "serve", "--login=token", "--ca-file=/etc/waypost/ca/ca.crt"]


def test_the_service_and_the_probes_reach_it(helm: Helm) -> None:
    manifests = helm.manifests(ON)
    deployment = one(manifests, "Deployment", NAME)
    assert deployment["spec"]["replicas"] == 1, "sessions are in the memory of one process"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    service = one(manifests, "Service", NAME)["spec"]
    assert service["selector"].items() <= labels.items()
    block = container(deployment)
    assert service["ports"] == [{"name": "ui", "port": 8080, "targetPort": "ui"}]
    assert block["ports"] == [{"name": "ui", "containerPort": 8080}]
    assert block["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "ui"}
    assert block["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "ui"}
    others = one(manifests, "Service", "wp-waypost-metrics")["spec"]["selector"]
    assert not others.items() <= labels.items(), "not a pod of the operator"


def test_a_policy_lets_in_this_namespace_and_named_peers(helm: Helm) -> None:
    (rule,) = one(helm.manifests(ON), "NetworkPolicy", NAME)["spec"]["ingress"]
    assert rule == {"from": [{"podSelector": {}}], "ports": [{"port": "ui"}]}
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}
    named = helm.manifests(ON, f"ui.networkPolicy.from=[{json.dumps(peer)}]")
    (rule,) = one(named, "NetworkPolicy", NAME)["spec"]["ingress"]
    assert rule["from"] == [{"podSelector": {}}, peer]
    without = helm.manifests(ON, "ui.networkPolicy.enabled=false")
    assert not [m for m in without if (m["kind"], m["metadata"]["name"]) == ("NetworkPolicy", NAME)]
