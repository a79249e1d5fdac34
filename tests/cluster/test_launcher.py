"""What is done with a program that ends where it should have become ready."""

import sys
import time

import pytest

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
