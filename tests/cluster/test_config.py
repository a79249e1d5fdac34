"""The rendered configuration says what the node depends on."""

import ipaddress
import itertools
import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.cluster import kind
from e2e.cluster.embedded import config
from e2e.cluster.embedded.components import (
    LOST_AFTER,
    Component,
    Places,
    components,
    machine_components,
)
from e2e.cluster.embedded.namespaces import pod_subnet
from e2e.cluster.settings import Settings


@pytest.fixture
def places(tmp_path: Path) -> Places:
    pki, conf = tmp_path / "pki", tmp_path / "conf"
    pki.mkdir()
    for name in ("ca.crt", "admin.crt", "admin.key"):
        (pki / name).write_text(f"content of {name}")
    return Places(binaries=Path("/binaries"), pki=pki, conf=conf, policies=Path("/policies"))


def by_name(settings: Settings, places: Places) -> dict[str, Component]:
    return {one.name: one for one in components(settings, places, "/usr/bin/containerd")}


def test_kubeconfig_is_self_contained(settings: Settings, places: Places) -> None:
    document = json.loads(config.kubeconfig(settings, places.pki, "admin"))
    cluster = document["clusters"][0]["cluster"]
    assert cluster["server"] == f"https://{settings.link.node}:6443"
    assert str(places.pki) not in json.dumps(document)
    assert document["current-context"] == document["contexts"][0]["name"] == settings.name


def test_runtime_works_without_lowering_oom_scores(settings: Settings) -> None:
    text = config.containerd(settings, Path("/cni"), Path("/conf"), overlay=True)
    cri = tomllib.loads(text)["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is True
    assert cri["sandbox_image"] == config.PAUSE_IMAGE
    assert cri["containerd"]["snapshotter"] == "overlayfs"
    assert cri["cni"]["bin_dir"] == "/cni"


def test_runtime_copies_layers_where_overlays_cannot_be_stacked(settings: Settings) -> None:
    text = config.containerd(settings, Path("/cni"), Path("/conf"), overlay=False)
    cri = tomllib.loads(text)["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["containerd"]["snapshotter"] == "native"


def test_kubelet_runs_on_old_cgroups_below_its_own(settings: Settings, places: Places) -> None:
    document = json.loads(config.kubelet(settings, places.pki))
    assert document["failCgroupV1"] is False
    assert document["cgroupRoot"] == f"/{settings.id}"
    assert document["imageGCHighThresholdPercent"] == 100, "images cannot be pulled again"


def test_every_answered_request_is_audited_once() -> None:
    policy = json.loads(config.audit_policy())
    assert policy["omitStages"] == ["RequestReceived"]
    assert policy["rules"] == [{"level": "Metadata"}]


def test_network_plugins_are_a_chain(settings: Settings) -> None:
    assert [one["type"] for one in json.loads(config.cni(settings))["plugins"]] == [
        "ptp",
        "portmap",
    ]


def test_start_order(settings: Settings, places: Places) -> None:
    order = list(by_name(settings, places))
    assert order.index("etcd") < order.index("kube-apiserver") < order.index("kubelet")
    assert order.index("containerd") < order.index("kubelet")


def test_policies_are_enforced_on_each_machine_for_all_pods(
    settings: Settings, places: Places
) -> None:
    further = machine_components(settings.of_machine(2), places, "/usr/bin/containerd")[-1]
    for engine in (by_name(settings, places)["policies"], further):
        assert engine.argv[1].endswith(f"{settings.name}/conf/admin.kubeconfig")
        assert "--pods=10.244.0.0/16" in engine.argv
    assert f"--node={settings.name}-node-2" in further.argv


def test_controller_limits_stay_at_their_defaults(settings: Settings, places: Places) -> None:
    for component in by_name(settings, places).values():
        given = " ".join(component.argv)
        assert "qps" not in given
        assert "node-monitor-grace-period" not in given


def test_flag_knobs_come_last_and_win(settings: Settings, places: Places) -> None:
    flags = {**settings.extra_flags, "kube-controller-manager": ("--kube-api-qps=1000",)}
    changed = by_name(replace(settings, extra_flags=flags), places)["kube-controller-manager"]
    assert changed.argv[-1] == "--kube-api-qps=1000"


def test_digest_changes_with_arguments_and_files(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    first = Component("x", ("/x",), (path,))
    digests = {first.digest, Component("x", ("/x", "--flag"), (path,)).digest}
    path.write_text("two")
    digests.add(first.digest)
    assert len(digests) == 3


def test_kind_audits_like_the_embedded_cluster() -> None:
    text = kind.configuration(Path("/host/audit"), Path("/host/policy.json"))
    assert "audit-log-path: /var/log/kubernetes/audit.log" in text
    assert "hostPath: /host/audit" in text
    assert "hostPath: /host/policy.json" in text


def test_further_machine_has_no_control_plane_and_asks_the_first(
    settings: Settings, places: Places
) -> None:
    further = settings.of_machine(2)
    names = [one.name for one in machine_components(further, places, "/usr/bin/containerd")]
    assert names == ["containerd", "kubelet", "kube-proxy", "policies"]
    assert config.api_url(further) == config.api_url(settings)
    assert config.node_name(further) != config.node_name(settings)


def test_machines_give_their_pods_addresses_of_their_own() -> None:
    subnets = [ipaddress.ip_network(pod_subnet(number)) for number in range(1, 6)]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(subnets, 2))


def test_lost_machine_shows_soon_where_there_is_one_to_lose(
    settings: Settings, places: Places
) -> None:
    settings.machines.mkdir(parents=True)
    given = by_name(settings, places)["kube-controller-manager"].argv
    assert f"--node-monitor-grace-period={LOST_AFTER}" in given
    lease = json.loads(config.kubelet(settings.of_machine(2), places.pki))
    assert lease["nodeLeaseDurationSeconds"] == 8
    assert "nodeLeaseDurationSeconds" not in json.loads(config.kubelet(settings, places.pki))
