"""A control plane for one benchmark, and two operators beside it, all of them processes."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Final

import httpx2

from e2e.bench.apiserver import api_server, free_port, programs, running
from e2e.bench.processes import memory_bytes, wait_until_ready
from e2e.bench.throughput import machines
from e2e.bench.throughput.meters import total
from e2e.cluster.settings import from_environment
from e2e.cluster.shell import Progress
from e2e.suite.kube import Kube, connected

_LEASE_SPACE: Final = "default"
_PATIENCE: Final = 300.0
_FAST: Final = ("--kube-api-qps=1000", "--kube-api-burst=1000")
_CONTROLLERS: Final = (
    "job-controller",
    "serviceaccount-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "node-lifecycle-controller",
)


@dataclass(frozen=True, slots=True)
class Operator:
    """One process of the operator."""

    process: Popen[bytes]
    port: int

    def metrics(self) -> str:
        """Its metrics as text; "" if it does not answer."""
        try:
            return httpx2.get(f"http://127.0.0.1:{self.port}/metrics", timeout=30).text
        except httpx2.HTTPError:
            return ""

    @property
    def leads(self) -> bool:
        """Whether it works on runs."""
        return total(self.metrics(), "waypost_leader") == 1

    def megabytes(self, field: str) -> float:
        """One of its `memory_bytes` in MB."""
        return memory_bytes(self.process, field) / 1e6


@dataclass(frozen=True, slots=True)
class Plane:
    """What the benchmark works with."""

    folder: Path
    kubeconfig: Path
    kube: Kube
    stack: ExitStack

    def operator(self, name: str, *, qps: float) -> Operator:
        """Start an operator, and wait until it is ready."""
        port = free_port()
        own = {
            "WAYPOST_KUBECONFIG": str(self.kubeconfig),
            "WAYPOST_RUNNER_IMAGE": "none",
            "WAYPOST_HTTP_PORT": str(port),
            "WAYPOST_LOG_LEVEL": "WARNING",
            "WAYPOST_LOG_BYTES": "0",  # no kubelet has a log
            "WAYPOST_LEASE_NAMESPACE": _LEASE_SPACE,
            "WAYPOST_WRITE_QPS": str(qps),
            "WAYPOST_WRITE_BURST": str(round(2 * qps)),
        }
        argv = [sys.executable, "-m", "waypost", "operator"]
        log = self.folder / f"{name}.log"
        process = self.stack.enter_context(running(argv, log, environment={**os.environ, **own}))
        wait_until_ready(process, port, within=_PATIENCE)
        return Operator(process, port)


@contextmanager
def plane(folder: Path) -> Iterator[Plane]:
    """An API server with scheduler, controllers and a simulated machine.

    Args:
        folder: For data and logs; it should be removed afterwards.

    Raises:
        ClusterError: The programs are not in the cache, or the API server did not start.
    """
    with ExitStack() as stack:
        kubeconfig = stack.enter_context(api_server(folder))
        for name, flags in (
            ("kube-controller-manager", _controller_flags(folder)),
            ("kube-scheduler", ()),
        ):
            argv = [str(programs() / name), *_common(kubeconfig), *flags]
            stack.enter_context(running(argv, folder / f"{name}.log"))
        kube = stack.enter_context(connected(kubeconfig, programs()))
        settings = from_environment()
        stack.enter_context(machines.running(kube, settings, folder / "kwok", Progress()))
        yield Plane(folder, kubeconfig, kube, stack)


def _common(kubeconfig: Path) -> tuple[str, ...]:
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={free_port()}",
        "--leader-elect=false",
        *_FAST,
    )


def _controller_flags(folder: Path) -> tuple[str, ...]:
    return (
        f"--service-account-private-key-file={folder / 'sa.key'}",
        f"--controllers={','.join(_CONTROLLERS)}",
        "--concurrent-job-syncs=50",
    )
