"""One suite, two clusters: the in-memory one always, a real API server with -m real_api.

No operator is at work there meanwhile: it would judge the runs that the suite makes.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from waypost.adapters.credentials import KubeconfigSource
from waypost.adapters.kube import KubeCluster
from waypost.ports.cluster import Cluster, Kind, NotFound, Obj, PatchType, Rejected

from tests.adapters.doubles import NotedTelemetry
from tests.fakes.api.deletion import Deletion
from tests.fakes.clock import ManualClock
from tests.fakes.cluster import InMemoryCluster
from tests.support.kubectl import Kubectl, given_kubeconfig

_PATIENCE = 30.0  # seconds that a real cluster's controllers may take


@dataclass(frozen=True)
class Lab:
    """A cluster, a namespace of the test's own, and short forms of the port's methods."""

    cluster: Cluster
    namespace: str
    memory: InMemoryCluster | None = None

    async def create(self, kind: Kind, body: Obj) -> Obj:
        return await self.cluster.create(kind, namespace=self.namespace, body=body)

    async def get(self, kind: Kind, name: str) -> Obj:
        return await self.cluster.get(kind, namespace=self.namespace, name=name)

    async def names(self, kind: Kind, *, labels: str = "", fields: str = "") -> list[str]:
        """Names of what a list gives, in its order."""
        listing = await self.cluster.list(
            kind, namespace=self.namespace, labels=labels, fields=fields
        )
        return [body["metadata"]["name"] for body in listing.items]

    async def json_patch(
        self, kind: Kind, name: str, *operations: Obj, subresource: str = ""
    ) -> Obj:
        return await self.cluster.patch(
            kind,
            namespace=self.namespace,
            name=name,
            body=operations,
            patch_type=PatchType.JSON,
            subresource=subresource,
        )

    async def merge(self, kind: Kind, name: str, body: Obj, *, subresource: str = "") -> Obj:
        return await self.cluster.patch(
            kind,
            namespace=self.namespace,
            name=name,
            body=body,
            patch_type=PatchType.MERGE,
            subresource=subresource,
        )

    async def strategic(self, kind: Kind, name: str, body: Obj) -> Obj:
        return await self.cluster.patch(
            kind,
            namespace=self.namespace,
            name=name,
            body=body,
            patch_type=PatchType.STRATEGIC,
        )

    async def delete(self, kind: Kind, name: str, **options: Any) -> None:
        await self.cluster.delete(kind, namespace=self.namespace, name=name, **options)

    async def delete_pod(self, name: str, *, grace: int) -> None:
        """Delete a pod with a grace period in seconds, which the port does not offer."""
        if self.memory is not None:
            self.memory.server.delete(
                Kind.POD, namespace=self.namespace, name=name, options=Deletion(grace=grace)
            )
            return
        words = ["delete", "pod", name, "--wait=false", f"--grace-period={grace}"]
        words += ["--force"] if grace == 0 else []
        done = await asyncio.to_thread(Kubectl(given_kubeconfig(), self.namespace).run, *words)
        assert done.returncode == 0, done.stderr

    async def pass_time(self, seconds: float) -> None:
        """Let time pass in the cluster."""
        if self.memory is not None:
            self.memory.advance(seconds)
        else:
            await asyncio.sleep(seconds)

    async def gone(self, kind: Kind, name: str) -> bool:
        try:
            await self.get(kind, name)
        except NotFound:
            return True
        return False

    async def eventually(self, true: Callable[[], Awaitable[bool]], reason: str) -> None:
        """Wait for something that controllers do; `reason` says why they must."""
        await eventually(true, reason, memory=self.memory)


async def eventually(
    true: Callable[[], Awaitable[bool]], reason: str, *, memory: InMemoryCluster | None
) -> None:
    """Wait in the cluster's own time."""
    for _ in range(int(_PATIENCE / 0.2)):
        if await true():
            return
        if memory is not None:
            memory.advance(0.2)
        else:
            await asyncio.sleep(0.2)
    pytest.fail(f"not within {_PATIENCE} s: {reason}")


def namespace_body(name: str) -> Obj:
    """A namespace to create."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


@asynccontextmanager
async def _real() -> AsyncIterator[Lab]:
    source = KubeconfigSource(path=given_kubeconfig())
    client = KubeCluster(credentials=source, telemetry=NotedTelemetry())
    name = f"waypost-contract-{uuid.uuid4().hex[:8]}"
    await client.create(Kind.NAMESPACE, namespace="", body=namespace_body(name))
    try:
        yield Lab(client, name)
    finally:
        await client.delete(Kind.NAMESPACE, namespace="", name=name)
        await client.close()


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.real_api)])
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    if request.param == "memory":
        memory = InMemoryCluster(clock=ManualClock(), namespaces=("lab",))
        yield Lab(memory, "lab", memory)
        return
    request.getfixturevalue("no_operator")
    async with _real() as real:
        yield real


async def create_pod(lab: Lab, body: Obj) -> Obj:
    """Create a pod; in a new namespace the default ServiceAccount may be a moment away."""
    for _ in range(50):
        try:
            return await lab.create(Kind.POD, body)
        except Rejected as error:
            if "serviceaccount" not in error.message:
                raise
            await asyncio.sleep(0.1)
    pytest.fail("no default ServiceAccount")
