"""The cluster, as a command reaches it, and what its refusals mean to a person."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import typer

from waypost.adapters.credentials import (
    CredentialsError,
    CredentialSource,
    KubeconfigSource,
    ServiceAccountSource,
)
from waypost.adapters.kube import KubeCluster
from waypost.cli.connection.kubeconfig import choose
from waypost.cli.errors import CommandError, Exit
from waypost.ports.cluster import Cluster, ClusterError, Kind, NotFound, Obj, Rejected

T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """Where a command was told to look."""

    kubeconfig: Path | None
    context: str | None
    namespace: str | None


@dataclass(frozen=True)
class Session:
    """A connection, and the namespace that is meant."""

    cluster: Cluster
    namespace: str


class _NoTelemetry:
    """A command reports to the person who called it, not to a metrics system."""

    def api_request(self, *, verb: str, resource: str, code: str, seconds: float) -> None: ...


def with_cluster(target: Target, work: Callable[[Session], Awaitable[T]]) -> T:
    """Run `work` with a session. What the cluster refuses becomes a CommandError."""

    async def run() -> T:
        async with _connected(target) as session:
            return await work(session)

    try:
        return asyncio.run(run())
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    except (ClusterError, CredentialsError) as error:
        raise explained(error) from error


@asynccontextmanager
async def _connected(target: Target) -> AsyncIterator[Session]:
    chosen = choose(kubeconfig=target.kubeconfig, context=target.context)
    source: CredentialSource = (
        ServiceAccountSource()
        if chosen.path is None
        else KubeconfigSource(path=chosen.path, context=chosen.context)
    )
    cluster = KubeCluster(credentials=source, telemetry=_NoTelemetry())
    try:
        yield Session(cluster=cluster, namespace=target.namespace or chosen.namespace)
    finally:
        await cluster.close()


def explained(error: ClusterError | CredentialsError) -> CommandError:
    """A refusal in words that say what to do."""
    if isinstance(error, CredentialsError):
        return CommandError(str(error), code=Exit.CLUSTER)
    if isinstance(error, NotFound):
        if "could not find the requested resource" in error.message:
            text = "this cluster has no AgentWorkflows: install Waypost, or name another context"
            return CommandError(text, code=Exit.NOT_FOUND)
        return CommandError(error.message, code=Exit.NOT_FOUND)
    if isinstance(error, Rejected) and error.code == 403:
        text = f"no access: {error.message}; the role waypost-view of the chart may read runs"
        return CommandError(text, code=Exit.CLUSTER)
    if error.code == 401:
        text = f"the cluster does not know you: {error.message}; log in again"
        return CommandError(text, code=Exit.CLUSTER)
    return CommandError(f"the cluster cannot be asked: {error.message}", code=Exit.CLUSTER)


async def find_run(session: Session, name: str) -> Obj:
    """The AgentWorkflow `name`. Raises CommandError that says where it is, if elsewhere."""
    try:
        return await session.cluster.get(
            Kind.AGENT_WORKFLOW, namespace=session.namespace, name=name
        )
    except NotFound as error:
        if "could not find the requested resource" in error.message:
            raise
        others = await _elsewhere(session.cluster, name)
        hint = f"it is in namespace {', '.join(others)}: use -n" if others else "see waypost runs"
        text = f"no AgentWorkflow {name!r} in namespace {session.namespace}; {hint}"
        raise CommandError(text, code=Exit.NOT_FOUND) from error


async def _elsewhere(cluster: Cluster, name: str) -> list[str]:
    """Namespaces that have such a run, as far as we may look."""
    try:
        found = await cluster.list(Kind.AGENT_WORKFLOW, fields=f"metadata.name={name}")
    except ClusterError:
        return []  # a hint less
    return sorted(item["metadata"]["namespace"] for item in found.items)
