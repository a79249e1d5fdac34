"""Start, watch and stop the programs of one machine, across runs of this program."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from e2e.cluster import procs, shell
from e2e.cluster.embedded import health
from e2e.cluster.embedded.components import Component
from e2e.cluster.embedded.namespaces import RUNTIME_FOLDER, Namespaces
from e2e.cluster.errors import ClusterError, tail
from e2e.cluster.settings import Settings

START_SECONDS = 90.0
STOP_GRACE_SECONDS = 3.0
KUBELET_TRIES = 15


class _EndedError(ClusterError):
    """A program ended where it should have become ready."""


class Launcher:
    """The programs of one machine: each is recorded in its folder once it is started."""

    def __init__(
        self, settings: Settings, namespaces: Namespaces, say: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._namespaces = namespaces
        self._say = say

    def start(self, wanted: Sequence[Component], *, with_runtime: Callable[[], None]) -> None:
        """Start what does not run, each once everything before it is ready; `with_runtime` is
        called when containerd is."""
        for component in wanted:
            self._bring_up(component, tries=KUBELET_TRIES if component.name == "kubelet" else 1)
            if component.name == "containerd":
                with_runtime()

    def _bring_up(self, component: Component, *, tries: int) -> None:
        """Start it again when it ends at once, as systemd would. After a power cut containerd
        answers before its CRI service has looked through its containers, which the kubelet takes
        for an error."""
        for left in reversed(range(tries)):
            try:
                if not self.runs(component):
                    self._launch(component)
                self._wait_ready(component)
                return
            except _EndedError:
                if not left:
                    raise
                time.sleep(1)

    def runs(self, component: Component) -> bool:
        """Whether it runs, with the arguments it has now."""
        record = procs.load(self._record(component.name))
        return (
            record is not None
            and record.digest == component.digest
            and procs.is_alive(record.identity)
        )

    def state(self, name: str) -> str:
        """running, dead or never started."""
        record = procs.load(self._record(name))
        alive = record is not None and procs.is_alive(record.identity)
        return "never started" if record is None else "running" if alive else "dead"

    def kill(self, name: str) -> None:
        """SIGKILL to one program; it stays dead until somebody starts it."""
        record = procs.load(self._record(name))
        if record is None or not procs.is_alive(record.identity):
            raise ClusterError(
                f"kill {name}", found="it does not run", do="`python -m e2e.cluster up` starts it"
            )
        procs.kill([record.identity])

    def containers(self, *arguments: str) -> list[str]:
        """The command line of `ctr` for the images the kubelet sees."""
        socket = str(RUNTIME_FOLDER / "containerd.sock")
        ctr = shell.which("ctr") or "ctr"
        return self._namespaces.enter(ctr, "-a", socket, "-n", "k8s.io", *arguments)

    def stop_strays(self, wanted: Sequence[Component]) -> None:
        """A run killed between starting a component and recording it leaves one nobody knows."""
        known = {record.identity for record in self._records()}
        programs = {component.argv[0] for component in wanted}

        def stray(process: Path) -> bool:
            program = (process / "cmdline").read_bytes().split(b"\0")[0].decode()
            return program in programs and self._namespaces.contains(process)

        strays = [found for found in procs.matching(stray) if found not in known]
        procs.stop(strays, grace=STOP_GRACE_SECONDS)

    def stop_everything(self, *, grace: float = STOP_GRACE_SECONDS) -> None:
        """Components first, in reverse, then the pods and their shims by what they live in.

        No grace: as when the power fails.
        """
        recorded = [record.identity for record in self._records()]
        if grace:
            procs.stop(recorded, grace=grace)
        else:
            procs.kill(recorded)  # first: no kubelet is left to report the pods' end
        stubborn = procs.kill(list(procs.matching(self._namespaces.contains)))
        # Killing a shim can leave the process it watched; killing that ends the round.
        stubborn += procs.kill(list(procs.matching(self._namespaces.contains)))
        if stubborn:
            raise ClusterError(
                "stop the cluster's processes",
                found=f"still alive: {[identity.pid for identity in stubborn]}",
                do="look at their state in `ps`; a process in state D waits for the kernel",
            )

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
            if not self.runs(component):
                raise self._died(component)
            if component.name == "containerd":
                return shell.succeeds(self.containers("version"), timeout=5)
            return component.health is None or health.answers(component.health)

        if not health.wait_until(ready, START_SECONDS):
            log = self._settings.logs / f"{component.name}.log"
            raise ClusterError(
                f"start {component.name}",
                found=f"it runs but was not ready in {START_SECONDS:.0f} s; {log}:\n{tail(log)}",
                do="read the log; `python -m e2e.cluster down` and `up` start from nothing",
            )
        self._say(f"{component.name} ready")

    def _died(self, component: Component) -> _EndedError:
        log = self._settings.logs / f"{component.name}.log"
        return _EndedError(
            f"start {component.name}",
            found=f"it ended during the start; the end of {log}:\n{tail(log)}",
            do="read the log; `python -m e2e.cluster down` and `up` start from nothing",
        )

    def _record(self, component: str) -> Path:
        return self._settings.folder / "pids" / f"{component}.json"

    def _records(self) -> list[procs.Record]:
        found: list[procs.Record] = []
        with contextlib.suppress(FileNotFoundError):
            for path in sorted((self._settings.folder / "pids").iterdir()):
                record = procs.load(path)
                if record is not None:
                    found.append(record)
        return found
