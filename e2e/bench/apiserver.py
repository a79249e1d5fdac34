"""An API server of Kubernetes for one benchmark: etcd and kube-apiserver of `make cluster`, without
machines, in a folder that goes away with them."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import REPOSITORY, from_environment

TOKEN: Final = "of-the-benchmark"
_PATIENCE: Final = 120.0
_STOPPED: Final = 15.0


@contextmanager
def api_server(folder: Path, crds: Path = REPOSITORY / "crds") -> Iterator[Path]:
    """A kubeconfig of a new API server with CRDs.

    Args:
        folder: For data, keys and logs; it should be removed afterwards.
        crds: The folder of the CRDs; those of this tree by default.

    Raises:
        ClusterError: Its programs are not in the cache, or it did not start.
    """
    found = programs()
    client, peer, port = (free_port() for _ in range(3))
    etcd = [
        str(found / "etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{client}",
        f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
        "--unsafe-no-fsync",
    ]
    with ExitStack() as stack:
        stack.enter_context(running(etcd, folder / "etcd.log"))
        stack.enter_context(running(_server(found, folder, client, port), folder / "api.log"))
        kubeconfig = folder / "kubeconfig"
        kubectl = [str(found / "kubectl"), f"--kubeconfig={kubeconfig}"]
        end = time.monotonic() + _PATIENCE
        while not _is_ready(kubectl, kubeconfig, folder, port):
            if time.monotonic() > end:
                text = (folder / "api.log").read_text(errors="replace")[-2000:]
                raise ClusterError("start an API server", found=text, do="look at its log")
            time.sleep(0.5)
        applied = [*kubectl, "apply", "--server-side", "-f", str(crds)]
        subprocess.run(applied, check=True, capture_output=True)
        waits = [*kubectl, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]
        subprocess.run(waits, check=True, capture_output=True)
        yield kubeconfig


@contextmanager
def running(
    argv: list[str], log: Path, *, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped at the end; what it prints is in the log."""
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, env=environment)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOPPED)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def programs() -> Path:
    """The folder with the programs of Kubernetes. Raises ClusterError."""
    found = sorted((from_environment().cache / "bin").glob("kubernetes-*/kube-apiserver"))
    if not found:
        raise ClusterError(
            "start an API server",
            found=f"no kube-apiserver in {from_environment().cache}",
            do="run `make cluster` once, which builds it",
        )
    return found[-1].parent


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _server(binaries: Path, folder: Path, etcd: int, port: int) -> list[str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = folder / "sa.key"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    tokens = folder / "tokens.csv"
    tokens.write_text(f'{TOKEN},bench,bench,"system:masters"\n')
    return [
        str(binaries / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certs'}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={private}",
        f"--service-account-signing-key-file={private}",
        "--service-cluster-ip-range=10.97.0.0/24",
        "--endpoint-reconciler-type=none",
    ]


def _is_ready(kubectl: list[str], kubeconfig: Path, folder: Path, port: int) -> bool:
    """Whether it answers; writes the kubeconfig once the certificate is there."""
    certificate = folder / "certs" / "apiserver.crt"
    if not certificate.exists():
        return False
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(certificate)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": cluster}],
        "users": [{"name": "bench", "user": {"token": TOKEN}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
    }
    kubeconfig.write_text(json.dumps(document))
    asked = subprocess.run([*kubectl, "get", "--raw", "/readyz"], check=False, capture_output=True)
    return asked.returncode == 0
