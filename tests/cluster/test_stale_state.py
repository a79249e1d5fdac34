"""What an earlier run left is recognised for what it is."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from e2e.cluster import files, procs
from e2e.cluster.embedded import packages, setup
from e2e.cluster.embedded import provider as embedded
from e2e.cluster.embedded.components import Component, Places
from e2e.cluster.embedded.launcher import Launcher
from e2e.cluster.embedded.namespaces import Namespaces
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress

COMPONENT = Component("etcd", ("/binaries/etcd", "--flag"))


@pytest.fixture
def cluster(settings: Settings, quiet: Progress) -> embedded.Embedded:
    return embedded.Embedded(settings, quiet)


@pytest.fixture
def launcher(settings: Settings, quiet: Progress) -> Launcher:
    return Launcher(settings, Namespaces(settings), quiet.say)


def remember(settings: Settings, identity: procs.Identity, digest: str) -> None:
    procs.save(settings.folder / "pids" / "etcd.json", procs.Record(identity, digest))


def this_process() -> procs.Identity:
    identity = procs.identify(os.getpid())
    assert identity is not None
    return identity


def test_running_component_is_left_alone(launcher: Launcher, settings: Settings) -> None:
    remember(settings, this_process(), COMPONENT.digest)
    assert launcher.runs(COMPONENT)


@pytest.mark.parametrize(
    ("pid", "digest", "reason"),
    [
        (0, "same", "its process is gone"),
        (None, "other", "it was started with other arguments"),
    ],
)
def test_component_to_start_again(
    pid: int | None, digest: str, reason: str, launcher: Launcher, settings: Settings
) -> None:
    identity = this_process() if pid is None else procs.Identity(pid=pid, started=1, boot="x")
    remember(settings, identity, COMPONENT.digest if digest == "same" else digest)
    assert not launcher.runs(COMPONENT), reason


def test_component_never_started(launcher: Launcher) -> None:
    assert not launcher.runs(COMPONENT)


@pytest.mark.parametrize(
    ("environment", "replaced"),
    [
        pytest.param({}, True, id="what-cannot-be-repaired-is-replaced"),
        pytest.param({"WAYPOST_KCM_FLAGS": "--bad"}, False, id="but-not-for-a-flag-of-the-user"),
    ],
)
def test_repair_that_fails(
    environment: dict[str, str],
    replaced: bool,
    settings_of: Callable[..., Settings],
    quiet: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ClusterError("start it", found="it ended", do="read the log")

    done: list[object] = []
    cluster = embedded.Embedded(settings_of(**environment), quiet)
    places = Places(binaries=Path("/b"), pki=Path("/p"), conf=Path("/c"), policies=Path("/e"))
    monkeypatch.setattr(embedded.Embedded, "places", places)
    monkeypatch.setattr(packages, "require_root", lambda: None)
    monkeypatch.setattr(packages, "ensure", lambda *_: None)
    monkeypatch.setattr(cluster, "_is_prepared", lambda _: True)
    monkeypatch.setattr(cluster, "_components", lambda _: [COMPONENT])
    monkeypatch.setattr(cluster, "_repair", fail)
    monkeypatch.setattr(cluster, "_replace", done.append)
    with nullcontext() if replaced else pytest.raises(ClusterError, match="start it"):
        cluster.up()
    assert bool(done) is replaced


def test_status_of_nothing(cluster: embedded.Embedded) -> None:
    status = cluster.status()
    assert status["etcd"] == "never started"
    assert (status["namespaces"], status["node"]) == ("missing", "not ready")


def test_certificates_cut_short_are_no_cluster(settings: Settings) -> None:
    (settings.folder / "pki.staging").mkdir(parents=True)
    (settings.folder / "pki.staging" / "sa.key").touch()
    assert not setup.is_complete(settings)


def test_files_without_mounts_are_no_namespaces(settings: Settings) -> None:
    """As a reboot leaves them."""
    (settings.folder / "ns").mkdir(parents=True)
    (settings.folder / "ns" / "mnt").touch()
    (settings.folder / "namespaces-complete").touch()
    assert not Namespaces(settings).intact()


def test_processes_of_the_cluster_are_known_by_cgroup(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text(f"4:memory:/{settings.id}/kubepods/pod1/c1\n")
    assert Namespaces(settings).contains(tmp_path)


def test_other_processes_are_not(settings: Settings) -> None:
    assert not Namespaces(settings).contains(Path("/proc/self"))


def test_staging_folder_of_a_killed_run_is_removed(tmp_path: Path) -> None:
    remnant = tmp_path / "bin.staging-1"
    (remnant / "half").mkdir(parents=True)
    with files.staging(tmp_path / "bin") as folder:
        assert not remnant.exists()
        (folder / "whole").touch()
    assert list(tmp_path.iterdir()) == []
