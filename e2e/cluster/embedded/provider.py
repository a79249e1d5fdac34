"""Bring the embedded node up from whatever is there: nothing, all of it, or half of it.

A component is started when it is missing or when its arguments changed; what still runs is left
alone. Only when the namespaces are gone (a reboot, a removal that was cut short) or a repair does
not make the node healthy is the cluster removed and made anew.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.cluster import golang, procs, shell
from e2e.cluster.embedded import health, packages, setup
from e2e.cluster.embedded.builder import Builder
from e2e.cluster.embedded.components import Component, Places, components
from e2e.cluster.embedded.namespaces import RUNTIME_FOLDER, Namespaces
from e2e.cluster.errors import ClusterError, tail
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress

START_SECONDS = 90.0
STOP_GRACE_SECONDS = 3.0


class Embedded:
    """The cluster on this machine; the caller holds the cluster's lock."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._say = progress.say
        self._progress = progress
        self._namespaces = Namespaces(settings)

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
        return Places(binaries=binaries, pki=folder / "pki", conf=folder / "conf")

    def up(self) -> None:
        """Return with a healthy node; reuse what is healthy, repair what is not."""
        packages.require_root()
        places = self.places
        packages.ensure(self._settings, self._progress, packages.NODE_PROGRAMS)
        if self._is_prepared(places):
            wanted = self._components(places)
            missing = [component for component in wanted if not self._runs(component)]
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
                self._say(f"repair failed, starting anew: {error.tried}: {error.found[:300]}")
        self._replace(places)

    def down(self) -> None:
        """Remove processes, namespaces, cgroups and files of this cluster, and nothing else."""
        packages.require_root()
        self._stop_everything()
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
        for name in (*golang.COMPONENTS[:-1], "containerd"):
            record = procs.load(self._record(name))
            alive = record is not None and procs.is_alive(record.identity)
            shown[name] = "never started" if record is None else "running" if alive else "dead"
        shown["namespaces"] = "intact" if self._namespaces.intact() else "missing"
        ready = health.node_is_ready(self._settings, self._settings.folder / "pki")
        shown["node"] = "ready" if ready else "not ready"
        shown["network policies"] = "not enforced"
        return shown

    def build(
        self, image: str, dockerfile: Path, context: Path, parents: Mapping[str, str] | None = None
    ) -> None:
        """Build with buildah, on the base image made here."""
        Builder(self._settings, self._progress).build(image, dockerfile, context, parents or {})

    def has(self, image: str) -> bool:
        return image in shell.output(self._containers("images", "ls", "-q")).split()

    def load(self, image: str) -> None:
        """Import the archive; drop older builds of the image that have no archive any more."""
        builder = Builder(self._settings, self._progress)
        shell.output(self._containers("images", "import", str(builder.archive(image))), timeout=300)
        older = f"{image.partition(':')[0]}:dev-"
        listed = shell.output(self._containers("images", "ls", "-q")).split()
        for old in (one for one in listed if one.startswith(older)):
            if not builder.archive(old).exists():
                shell.succeeds(self._containers("images", "rm", old))

    def _containers(self, *arguments: str) -> list[str]:
        """The command line of `ctr` for the images the kubelet sees."""
        socket = str(RUNTIME_FOLDER / "containerd.sock")
        ctr = shell.which("ctr") or "ctr"
        return self._namespaces.enter(ctr, "-a", socket, "-n", "k8s.io", *arguments)

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
        self._start(self._components(places))
        self._finish(places)

    def _repair(self, wanted: Sequence[Component], missing: Sequence[Component]) -> None:
        names = ", ".join(component.name for component in missing) or "nothing, but it is not ready"
        self._say(f"repairing the cluster that is there; to start: {names}")
        self._stop_strays(wanted)
        self._start(wanted)
        self._finish(self.places)

    def _finish(self, places: Places) -> None:
        health.wait_for_node(self._settings, places.pki, START_SECONDS)
        self._say("node ready")
        setup.publish_kubeconfig(self._settings, places)

    def _components(self, places: Places) -> Sequence[Component]:
        setup.write_configuration(self._settings, places)
        return components(self._settings, places, shell.which("containerd") or "containerd")

    def _start(self, wanted: Sequence[Component]) -> None:
        """Start what does not run, each once everything before it is ready."""
        for component in wanted:
            if not self._runs(component):
                self._launch(component)
            self._wait_ready(component)
            if component.name == "containerd":
                setup.load_pause(self._settings, self.places.binaries, self._containers)

    def _launch(self, component: Component) -> None:
        record = procs.load(self._record(component.name))
        if record is not None:
            procs.stop([record.identity], grace=STOP_GRACE_SECONDS)
        log = self._settings.logs / f"{component.name}.log"
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        command = self._namespaces.enter(*component.argv)
        identity = procs.spawn(command, log=log, env=environment | {"HOME": "/root"})
        if identity is None:
            raise self._died(component)
        procs.save(self._record(component.name), procs.Record(identity, component.digest))

    def _wait_ready(self, component: Component) -> None:
        def ready() -> bool:
            if not self._runs(component):
                raise self._died(component)
            if component.name == "containerd":
                return shell.succeeds(self._containers("version"), timeout=5)
            return component.health is None or health.answers(component.health)

        if not health.wait_until(ready, START_SECONDS):
            log = self._settings.logs / f"{component.name}.log"
            raise ClusterError(
                f"start {component.name}",
                found=f"it runs but was not ready in {START_SECONDS:.0f} s; {log}:\n{tail(log)}",
                do="read the log; `python -m e2e.cluster down` and `up` start from nothing",
            )
        self._say(f"{component.name} ready")

    def _died(self, component: Component) -> ClusterError:
        log = self._settings.logs / f"{component.name}.log"
        return ClusterError(
            f"start {component.name}",
            found=f"it ended during the start; the end of {log}:\n{tail(log)}",
            do="read the log; `python -m e2e.cluster down` and `up` start from nothing",
        )

    def _runs(self, component: Component) -> bool:
        record = procs.load(self._record(component.name))
        return (
            record is not None
            and record.digest == component.digest
            and procs.is_alive(record.identity)
        )

    def _record(self, component: str) -> Path:
        return self._settings.folder / "pids" / f"{component}.json"

    def _stop_strays(self, wanted: Sequence[Component]) -> None:
        """A run killed between starting a component and recording it leaves one nobody knows."""
        known = {record.identity for record in self._records()}
        programs = {component.argv[0] for component in wanted}

        def stray(process: Path) -> bool:
            program = (process / "cmdline").read_bytes().split(b"\0")[0].decode()
            return program in programs and self._namespaces.contains(process)

        strays = [found for found in procs.matching(stray) if found not in known]
        procs.stop(strays, grace=STOP_GRACE_SECONDS)

    def _stop_everything(self) -> None:
        """Components first, in reverse, then the pods and their shims by what they live in."""
        recorded = [record.identity for record in self._records()]
        procs.stop(recorded, grace=STOP_GRACE_SECONDS)
        stubborn = procs.stop(list(procs.matching(self._namespaces.contains)), grace=0)
        # Killing a shim can leave the process it watched; killing that ends the round.
        stubborn += procs.stop(list(procs.matching(self._namespaces.contains)), grace=0)
        if stubborn:
            raise ClusterError(
                "stop the cluster's processes",
                found=f"still alive: {[identity.pid for identity in stubborn]}",
                do="look at their state in `ps`; a process in state D waits for the kernel",
            )

    def _records(self) -> list[procs.Record]:
        found: list[procs.Record] = []
        with contextlib.suppress(FileNotFoundError):
            for path in sorted((self._settings.folder / "pids").iterdir()):
                record = procs.load(path)
                if record is not None:
                    found.append(record)
        return found
