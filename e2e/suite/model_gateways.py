"""An installation with the model gateway, for tests of what goes through it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.install import install
from e2e.suite.kube import Kube
from e2e.suite.space import Space

KEY: Final = "sk-canary-0c9e52b7f1d84a36"
ADDRESS: Final = "10.96.255.81"  # as gateway.clusterIP: the test clusters have no DNS


@dataclass(frozen=True)
class Place:
    """The namespace of the test, and the address of the provider."""

    space: Space
    url: str


@contextmanager
def installed(kube: Kube, cluster: api.Cluster, url: str) -> Iterator[None]:
    """The chart has the model gateway, which reaches the network of pods, while the block runs.

    `url` is that of a server in this network.
    """
    chosen = {
        "modelGateway.enabled": "true",
        "modelGateway.clusterIP": ADDRESS,
        "modelGateway.privateHosts[0]": outside.network_of(url),
    }
    install(kube, cluster.chart_values | chosen)
    yield
    install(kube, cluster.chart_values)


def host_of(url: str) -> str:
    """Host and port of a URL, as the annotation of a Secret has them."""
    return url.partition("://")[2].partition("/")[0]


def keys(space: Space, name: str, *, hosts: str) -> None:
    """A Secret with KEY, which may be sent to `hosts`."""
    metadata = {"name": name, "annotations": {"waypost.dev/hosts": hosts}}
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    space.create("secrets", {**manifest, "stringData": {"api-key": KEY}})


def grant(space: Space, *options: str) -> None:
    """The gateway may read the Secrets, by the Role that the command prints."""
    printed = space.kube.must(
        sys.executable,
        *("-m", "waypost", "provider", "grant", "-n", space.name),
        *("--kubeconfig", str(space.kube.kubeconfig)),
        *options,
    )
    space.kube.must("kubectl", "apply", "-f", "-", stdin=printed)
