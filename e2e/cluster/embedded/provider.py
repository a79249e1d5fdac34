"""Bring the embedded node up from whatever is there: nothing, all of it, or half of it.

A component is started when it is missing or when its arguments changed; what still runs is left
alone. Only when the namespaces are gone (a reboot, a removal that was cut short) or a repair does
not make the node healthy is the cluster removed and created again.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.cluster import golang, shell
from e2e.cluster.embedded import health, packages, setup
from e2e.cluster.embedded.builder import Builder
from e2e.cluster.embedded.components import Component, Places, components
from e2e.cluster.embedded.config import node_name
from e2e.cluster.embedded.imagestore import ImageStore
from e2e.cluster.embedded.launcher import START_SECONDS, Launcher
from e2e.cluster.embedded.machine import Machine
from e2e.cluster.embedded.namespaces import Namespaces
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress


class Embedded:
    """The cluster on this machine; the caller holds the cluster's lock."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._say = progress.say
        self._progress = progress
        self._namespaces = Namespaces(settings)
        self._launcher = Launcher(settings, self._namespaces, progress.say)
        self._images = ImageStore(settings, progress, self._launcher.containers)

    @property
    def kubeconfig(self) -> Path:
        return self._settings.kubeconfig

    @property
    def audit_log(self) -> Path | None:
        return self._settings.audit_log

    @property
    def places(self) -> Places:
        folder = self._settings.folder
        binaries = golang.node_binaries(self._settings, self._progress)
        policies = golang.policy_engine(self._settings, self._progress)
        pki, conf = folder / "pki", folder / "conf"
        return Places(binaries=binaries, pki=pki, conf=conf, policies=policies)

    def up(self) -> None:
        """Return with a healthy node; reuse what is healthy, repair what is not."""
        packages.require_root()
        places = self.places
        packages.ensure(self._settings, self._progress, packages.NODE_PROGRAMS)
        if self._is_prepared(places):
            wanted = self._components(places)
            missing = [component for component in wanted if not self._launcher.runs(component)]
            if not missing and health.node_is_ready(self._settings, places.pki):
                self._say("reusing the running cluster")
                return
            try:
                self._repair(wanted, missing)
                return
            except ClusterError as error:
                # A flag that does not work is no reason to throw the cluster's content away.
                if any(self._settings.extra_flags.values()):
                    raise
                self._say(f"repair failed, starting again: {error.tried}: {error.found[:300]}")
        self._replace(places)

    def down(self) -> None:
        """Remove processes, namespaces, cgroups and files of this cluster, and nothing else."""
        packages.require_root()
        for machine in self.machines():
            machine.remove()
        self._launcher.stop_everything()
        self._namespaces.remove()
        shutil.rmtree(self._settings.folder, ignore_errors=True)
        if self._settings.folder.exists():
            raise ClusterError(
                f"remove {self._settings.folder}",
                found="files that cannot be deleted",
                do=f"look for mounts with `findmnt | grep {self._settings.folder}`",
            )

    def status(self) -> dict[str, str]:
        """One word per component: running, dead or never started."""
        shown = {}
        for name in (*golang.COMPONENTS[:-1], "containerd", "policies"):
            shown[name] = self._launcher.state(name)
        shown["namespaces"] = "intact" if self._namespaces.intact() else "missing"
        ready = health.node_is_ready(self._settings, self._settings.folder / "pki")
        shown["node"] = "ready" if ready else "not ready"
        shown |= {f"machine {one.number}": one.state() for one in self.machines()}
        return shown

    def build(
        self, image: str, dockerfile: Path, context: Path, parents: Mapping[str, str] | None = None
    ) -> None:
        """Build with buildah, on the base image made here."""
        Builder(self._settings, self._progress).build(image, dockerfile, context, parents or {})

    def has(self, image: str) -> bool:
        """Whether every machine that runs has it."""
        stores = [self._images, *(one.images for one in self.machines() if one.runs())]
        return all(image in store.listed() for store in stores)

    def load(self, image: str) -> None:
        """Import it on every machine that runs and lacks it."""
        for store in (self._images, *(one.images for one in self.machines() if one.runs())):
            store.load(image)

    @property
    def node(self) -> str:
        """Name of the first machine's Node."""
        return node_name(self._settings)

    def machines(self) -> list[Machine]:
        """The further machines, running or not."""
        folder = self._settings.machines
        numbers = sorted(int(path.name) for path in folder.iterdir()) if folder.exists() else []
        return [self.machine(number) for number in numbers]

    def machine(self, number: int) -> Machine:
        """A further machine, there or not: 2 and up."""
        return Machine(self._settings.of_machine(number), self._progress, self.places)

    def add_machine(self, number: int, *, images: Sequence[str] = ()) -> Machine:
        """Return with the machine ready, cordoned, and with these images; none: with those of the
        first."""
        machine = self.machine(number)
        machine.prepare(images)
        self.up()  # with a machine that can be lost, the controller-manager gets other flags
        machine.start()
        return machine

    def remove_machine(self, number: int) -> None:
        """Take the machine away, and its Node; nothing of it is left."""
        self.machine(number).remove()
        self.up()

    def kill(self, component: str) -> None:
        """SIGKILL to a program of the first machine; `up` starts it again, with its data."""
        self._launcher.kill(component)

    def _is_prepared(self, places: Places) -> bool:
        return setup.is_complete(self._settings) and self._namespaces.intact()

    def _replace(self, places: Places) -> None:
        self._say("removing what an earlier run left")
        self.down()
        self._say("making certificates, namespaces and configuration")
        self._settings.folder.mkdir(parents=True)
        setup.write_certificates(self._settings, places)
        self._namespaces.create()
        setup.write_configuration(self._settings, places)
        self._start(self._components(places), places)
        self._finish(places)

    def _repair(self, wanted: Sequence[Component], missing: Sequence[Component]) -> None:
        names = ", ".join(component.name for component in missing) or "nothing, but it is not ready"
        self._say(f"repairing the cluster that is there; to start: {names}")
        places = self.places
        self._launcher.stop_strays(wanted)
        self._start(wanted, places)
        self._finish(places)

    def _start(self, wanted: Sequence[Component], places: Places) -> None:
        pause = places.binaries / "pause"
        self._launcher.start(wanted, with_runtime=lambda: self._images.load_pause(pause))

    def _finish(self, places: Places) -> None:
        health.wait_for_node(self._settings, places.pki, START_SECONDS)
        self._say("node ready")
        setup.publish_kubeconfig(self._settings, places)

    def _components(self, places: Places) -> Sequence[Component]:
        setup.write_configuration(self._settings, places)
        return components(self._settings, places, shell.which("containerd") or "containerd")
