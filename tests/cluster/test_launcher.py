"""What is done with a program that ends where it should have become ready."""

import sys
import time

import pytest

from e2e.cluster import procs
from e2e.cluster.embedded.components import Component
from e2e.cluster.embedded.launcher import KUBELET_TRIES, Launcher
from e2e.cluster.embedded.namespaces import Namespaces
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress


@pytest.mark.parametrize(
    ("name", "launches"),
    [
        pytest.param("kubelet", KUBELET_TRIES, id="kubelet-as-systemd-would"),
        pytest.param("etcd", 1, id="another-is-an-error-at-once"),
    ],
)
def test_program_that_always_ends(
    name: str,
    launches: int,
    settings: Settings,
    quiet: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    namespaces = Namespaces(settings)
    monkeypatch.setattr(Namespaces, "enter", lambda _, *argv: list(argv))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    launched: list[str] = []
    real = Launcher._launch

    def counted(launcher: Launcher, component: Component) -> None:
        launched.append(component.name)
        real(launcher, component)

    monkeypatch.setattr(Launcher, "_launch", counted)
    argv = (sys.executable, "-c", "print('no runtime')")
    component = Component(name, argv, health="http://127.0.0.1:9/")
    launcher = Launcher(settings, namespaces, quiet.say)
    with pytest.raises(ClusterError, match=f"start {name}"):
        launcher.start([component], with_runtime=lambda: None)
    assert launched == [name] * launches


def test_a_kubelet_that_is_gone_before_it_is_seen_is_started_again(
    settings: Settings, quiet: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Namespaces, "enter", lambda _, *argv: list(argv))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    spawned: list[str] = []
    monkeypatch.setattr(procs, "spawn", lambda argv, **_: spawned.append(argv[0]))
    launcher = Launcher(settings, Namespaces(settings), quiet.say)
    with pytest.raises(ClusterError, match="start kubelet"):
        launcher.start([Component("kubelet", ("kubelet",))], with_runtime=lambda: None)
    assert len(spawned) == KUBELET_TRIES
