"""An S3 service for tests: versitygw on a folder, as a process of this machine."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e.cluster import golang, serving
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
    (port,) = serving.free_ports(1, host=host)
    store = ObjectStore(
        endpoint=f"http://{host}:{port}",
        bucket="payloads",
        access_key="waypost",
        secret_key=secrets.token_hex(16),
        folder=buckets,
    )
    argv = [str(server), f"--port={host}:{port}", "posix", f"--sidecar={metadata}", str(buckets)]
    environment = {"ROOT_ACCESS_KEY": store.access_key, "ROOT_SECRET_KEY": store.secret_key}
    with serving.served(
        argv, log=folder / "log", env=environment, port=port, host=host, within=_PATIENCE
    ):
        yield store


if __name__ == "__main__":  # python -m e2e.cluster.objectstore: have it in the cache
    print(program(from_environment(), Progress()))
