"""A further machine of the embedded cluster, so that its loss, or a drain, means something.

It has its own kubelet, containerd and kube-proxy, in a separate network namespace, mount
namespace and cgroup: two kubelets on one runtime would delete each other's pods.
It is cordoned when it comes, so that nothing lands on it that did not ask for it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from e2e.cluster import shell
from e2e.cluster.embedded import health, packages, setup
from e2e.cluster.embedded.components import Places, machine_components
from e2e.cluster.embedded.config import node_name
from e2e.cluster.embedded.imagestore import ImageStore
from e2e.cluster.embedded.launcher import START_SECONDS, Launcher
from e2e.cluster.embedded.namespaces import Namespaces
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress


class Machine:
    """Machine 2 and up; the caller holds the cluster's lock where it adds or removes one."""

    def __init__(self, settings: Settings, progress: Progress, first: Places) -> None:
        self._settings = settings
        self._progress = progress
        self._first = first
        self._namespaces = Namespaces(settings)
        self._launcher = Launcher(settings, self._namespaces, self._say)
        self.images = ImageStore(settings, progress, self._launcher.containers)

    @property
    def number(self) -> int:
        return self._settings.machine

    @property
    def node(self) -> str:
        """Name of its Node."""
        return node_name(self._settings)

    def state(self) -> str:
        """In a few words."""
        if not self._namespaces.intact():
            return "missing"
        ready = health.node_is_ready(self._settings, self._first.pki)
        runtime = self._launcher.state("containerd")
        return "ready" if ready else f"not ready, kubelet {self._kubelet()}, containerd {runtime}"

    def runs(self) -> bool:
        """Whether its container runtime does."""
        return self._namespaces.intact() and self._launcher.state("containerd") == "running"

    def prepare(self, images: Sequence[str]) -> None:
        """Make what is there before anything runs; what an earlier run left is replaced. `images`:
        those it will have; none: all that were built for the first machine."""
        packages.require_root()
        packages.ensure(self._settings, self._progress, packages.MACHINE_PROGRAMS)
        if self._namespaces.intact():
            self._wanted.write_text("\n".join(images))
            return
        if self._settings.folder.exists():
            self.remove()
        self._settings.folder.mkdir(parents=True)
        self._wanted.write_text("\n".join(images))
        setup.write_machine_certificates(self._settings, self._places(), self._first.pki)
        self._namespaces.create()

    def start(self) -> None:
        """Start what does not run, as after a power cut; return when the Node is ready."""
        places = self._places()
        setup.write_configuration(self._settings, places)
        wanted = machine_components(
            self._settings, places, shell.which("containerd") or "containerd"
        )
        self._namespaces.set_link("up")
        self._register()
        self._launcher.start(wanted, with_runtime=self._load_images)
        if not health.wait_until(self._is_ready, START_SECONDS):
            raise ClusterError(
                f"get {self.node} ready",
                found=f"not Ready after {START_SECONDS:.0f} s",
                do=f"read {self._settings.logs}/kubelet.log and containerd.log beside it",
            )
        self._say("node ready")

    def stop(self) -> None:
        """The power fails: every process of it is gone at once, and the network with them."""
        self._namespaces.set_link("down")
        self._launcher.stop_everything(grace=0)

    def kill_kubelet(self) -> None:
        """SIGKILL; the pods run on. `start` brings it back."""
        self._launcher.kill("kubelet")

    def cut_off(self) -> None:
        """Its network is gone, everything on it runs on. `start` brings it back."""
        self._namespaces.set_link("down")

    def remove(self) -> None:
        """Processes, namespaces, files and, where somebody answers, the Node."""
        self._launcher.stop_everything()
        self._namespaces.remove()
        delete = ["delete", "node", self.node, "--ignore-not-found", "--wait=false"]
        if not shell.succeeds(self._kubectl(*delete), timeout=10):
            self._say("no API server answers: its Node stays")
        shutil.rmtree(self._settings.folder, ignore_errors=True)
        if self._settings.machines.exists() and not any(self._settings.machines.iterdir()):
            self._settings.machines.rmdir()

    def _register(self) -> None:
        """Make the Node before the kubelet does: a kubelet cannot say that it is cordoned."""
        if shell.succeeds(self._kubectl("get", "node", self.node), timeout=10):
            return
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.node},
            "spec": {"unschedulable": True},
        }
        path = self._settings.folder / "node.json"
        path.write_text(json.dumps(node))
        shell.output(self._kubectl("create", "-f", str(path)), timeout=10)

    def _load_images(self) -> None:
        """The pause image, and what it was added with or was built for the first machine."""
        self.images.load_pause(self._first.binaries / "pause")
        if wanted := self._wanted.read_text().split():
            self.images.load_all(wanted)
            return
        first = self._settings.of_machine(1)
        theirs = Launcher(first, Namespaces(first), self._say).containers
        self.images.load_all(ImageStore(first, self._progress, theirs).listed())

    @property
    def _wanted(self) -> Path:
        """Outlives this program: a machine that comes back needs no more than it had."""
        return self._settings.folder / "images"

    def _is_ready(self) -> bool:
        return health.node_is_ready(self._settings, self._first.pki)

    def _kubelet(self) -> str:
        return self._launcher.state("kubelet")

    def _places(self) -> Places:
        folder = self._settings.folder
        pki, conf, policies = folder / "pki", folder / "conf", self._first.policies
        return Places(self._first.binaries, pki=pki, conf=conf, policies=policies)

    def _kubectl(self, *arguments: str) -> list[str]:
        program = self._first.binaries / "kubectl"
        return [str(program), f"--kubeconfig={self._first.credentials('admin')}", *arguments]

    @property
    def _say(self) -> Callable[[str], None]:
        return lambda text: self._progress.say(f"machine {self.number}: {text}")
