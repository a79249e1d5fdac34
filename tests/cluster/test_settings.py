"""What is derived from the environment, and that two clusters share nothing."""

import ipaddress
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Link, Settings, read_settings

Make = Callable[..., Settings]


@pytest.mark.parametrize(
    ("environment", "cache"),
    [
        pytest.param({"WAYPOST_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a", id="own-variable"),
        pytest.param({"XDG_CACHE_HOME": "/b"}, "/b/waypost", id="xdg"),
        pytest.param({}, str(Path.home() / ".cache/waypost"), id="home"),
    ],
)
def test_cache_folder(environment: dict[str, str], cache: str) -> None:
    assert read_settings(environment).cache == Path(cache).resolve()


def test_defaults() -> None:
    settings = read_settings({})
    assert (settings.name, settings.provider) == ("waypost", None)
    assert settings.kubeconfig == settings.cache / "clusters" / "waypost" / "kubeconfig"


@pytest.mark.parametrize("name", ["", "a", "a-b", "ci-3", "a" * 30])
def test_names_that_are_taken(name: str, settings_of: Make) -> None:
    assert settings_of(WAYPOST_CLUSTER=name).name == (name or "waypost")


@pytest.mark.parametrize("name", ["A", "-a", "a-", "1a", "a/b", "../a", "a b", "a" * 31])
def test_names_that_are_refused(name: str, settings_of: Make) -> None:
    with pytest.raises(ClusterError, match="use the cluster name"):
        settings_of(WAYPOST_CLUSTER=name)


def test_lock_is_outside_of_the_folder_that_down_removes(settings: Settings) -> None:
    assert settings.folder not in settings.lock.parents


def test_two_names_and_two_caches_share_nothing(settings_of: Make) -> None:
    different = [
        settings_of(WAYPOST_CLUSTER="one"),
        settings_of(WAYPOST_CLUSTER="two"),
        settings_of(WAYPOST_CLUSTER="one", WAYPOST_CACHE="/elsewhere"),
    ]
    for derived in ("id", "link", "folder", "lock", "audit_log"):
        values = {getattr(settings, derived) for settings in different}
        assert len(values) == len(different), f"{derived} must tell clusters apart"


def test_same_name_derives_the_same_again(settings_of: Make) -> None:
    assert settings_of(WAYPOST_CLUSTER="x") == settings_of(WAYPOST_CLUSTER="x")


def test_identity_fits_an_interface_name(settings_of: Make) -> None:
    assert len(settings_of(WAYPOST_CLUSTER="a" * 30).id) <= 15


@pytest.mark.parametrize("identity", ["wp-00000000", "wp-7f3a9c01", "wp-ffffffff"])
def test_link_is_the_two_hosts_of_one_subnet(identity: str) -> None:
    link = Link.of(identity)
    subnet = ipaddress.IPv4Interface(f"{link.host}/30").network
    assert [str(host) for host in subnet.hosts()] == [link.host, link.node]
    assert subnet.subnet_of(ipaddress.IPv4Network("10.213.0.0/16"))


def test_flag_knobs_reach_their_component(settings_of: Make) -> None:
    settings = settings_of(WAYPOST_KCM_FLAGS="--kube-api-qps=1000  --concurrent-job-syncs=50")
    flags = settings.extra_flags
    assert flags["kube-controller-manager"] == ("--kube-api-qps=1000", "--concurrent-job-syncs=50")
    assert flags["kubelet"] == ()


def test_machines_of_a_cluster_share_its_name_and_nothing_else(settings: Settings) -> None:
    machines = [settings, settings.of_machine(2), settings.of_machine(3)]
    for derived in ("id", "link", "folder", "logs"):
        values = {getattr(one, derived) for one in machines}
        assert len(values) == len(machines), f"{derived} must tell machines apart"
    assert {one.name for one in machines} == {settings.name}
    assert machines[1].of_machine(1) == settings


def test_what_down_removes_contains_every_machine(settings: Settings) -> None:
    assert settings.folder in settings.of_machine(2).folder.parents
