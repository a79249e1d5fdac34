"""Kueue beside a cluster, for tests: its manager as a process of this machine, without pods.

Its webhooks are left out: they only fill in and check what the manifests of tests have already.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from e2e.cluster import golang, serving, shell
from e2e.cluster.errors import ClusterError
from e2e.cluster.golang import Module
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress

MODULE = Module("sigs.k8s.io/kueue", "0.17.0", package="./cmd/kueue", program="kueue")
NAMESPACE = "kueue-system"
API = "kueue.x-k8s.io/v1beta2"
_PATIENCE = 90.0
# The path of its certificates is fixed: the process sees another /etc.
_START = (
    "mount -t tmpfs none /etc && mkdir -p /etc/kueue/metrics && "
    'ln -s "$1" /etc/kueue/metrics/certs && shift && exec "$@"'
)


@contextlib.contextmanager
def running(
    settings: Settings, kubeconfig: Path, tools: Path, folder: Path, progress: Progress
) -> Iterator[None]:
    """Kueue on this cluster while the context lasts. `tools` has kubectl; its log is in `folder`.
    Its CRDs stay in the cluster."""
    program = golang.built(settings, MODULE, progress)
    sources = golang.sources(settings, MODULE)
    _apply(kubeconfig, tools, sources)
    health, metrics, webhook = serving.free_ports(3)
    certificates = folder / "certificates"
    certificates.mkdir(parents=True)
    _make_certificate(certificates)
    config = folder / "config.yaml"
    config.write_text(
        "apiVersion: config.kueue.x-k8s.io/v1beta2\nkind: Configuration\n"
        f"namespace: {NAMESPACE}\n"
        f"health: {{healthProbeBindAddress: '127.0.0.1:{health}'}}\n"
        f"metrics: {{bindAddress: '127.0.0.1:{metrics}'}}\n"
        f"webhook: {{host: 127.0.0.1, port: {webhook}, certDir: '{certificates}'}}\n"
        "leaderElection: {leaderElect: false}\n"
        "internalCertManagement: {enable: false}\n"
        "integrations: {frameworks: [batch/job]}\n"
    )
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _START, "kueue"]
    argv += [str(certificates), str(program), "--config", str(config), "--zap-log-level=2"]
    argv += ["--feature-gates=VisibilityOnDemand=false"]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    log = folder / "kueue.log"
    with serving.served(argv, log=log, env=environment, port=health, within=_PATIENCE):
        yield


def _apply(kubeconfig: Path, tools: Path, sources: Path) -> None:
    """Its CRDs, and its namespace."""
    kubectl = [str(tools / "kubectl"), f"--kubeconfig={kubeconfig}"]
    namespace = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n"
    done = subprocess.run(
        [*kubectl, "apply", "-f", "-"],
        input=namespace,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise ClusterError("set up Kueue", found=done.stderr, do="read the message")
    folder = f"--filename={sources}/config/components/crd/bases"
    shell.output([*kubectl, "apply", "--server-side", "--force-conflicts", folder], timeout=180)
    # A CRD without any condition yet is an error of `kubectl wait`.
    served = [*kubectl, "wait", "--for=condition=Established", "--timeout=60s", folder]
    until = time.monotonic() + _PATIENCE
    while not shell.succeeds(served) and time.monotonic() < until:
        time.sleep(0.5)


def _make_certificate(folder: Path) -> None:
    """A certificate for servers that nobody asks."""
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    argv += ["-subj", "/CN=localhost", "-keyout", str(folder / "tls.key")]
    shell.output([*argv, "-out", str(folder / "tls.crt")], timeout=60)
