"""An S3 service for tests: versitygw on a folder, as a process of this machine."""

from __future__ import annotations

import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e.cluster import golang
from e2e.cluster.golang import Installable
from e2e.cluster.settings import Settings, from_environment
from e2e.cluster.shell import Progress

SERVER = Installable("github.com/versity/versitygw/cmd/versitygw", "1.8.0")
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """Where it is, and what opens it; `folder` holds one folder a bucket."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    folder: Path

    def environment(self) -> dict[str, str]:
        """The variables that clients of S3 read."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }


def program(settings: Settings, progress: Progress) -> Path:
    """The server, built with Go when the cache has none."""
    return golang.installed(settings, SERVER, progress)


@contextmanager
def running(server: Path, folder: Path, *, host: str = "127.0.0.1") -> Iterator[ObjectStore]:
    """The server with one empty bucket, on a free port, while the context lasts."""
    buckets, metadata = folder / "buckets", folder / "metadata"
    (buckets / "payloads").mkdir(parents=True)
    metadata.mkdir()
    port = _free_port(host)
    store = ObjectStore(
        endpoint=f"http://{host}:{port}",
        bucket="payloads",
        access_key="waypost",
        secret_key=secrets.token_hex(16),
        folder=buckets,
    )
    argv = [str(server), f"--port={host}:{port}", "posix", f"--sidecar={metadata}", str(buckets)]
    environment = {"ROOT_ACCESS_KEY": store.access_key, "ROOT_SECRET_KEY": store.secret_key}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
    try:
        _await(process, host, port, folder / "log")
        yield store
    finally:
        process.terminate()
        process.wait(timeout=10)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _await(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                text = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"versitygw does not serve: {text}") from None
            time.sleep(0.05)


if __name__ == "__main__":  # python -m e2e.cluster.objectstore: have it in the cache
    print(program(from_environment(), Progress()))
