"""Connects a command to the cluster, and explains the cluster's errors to a person."""

import asyncio
import re
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
    TokenSource,
)
from waypost.adapters.kube import KubeCluster
from waypost.cli.connection.kubeconfig import Choice, choose
from waypost.cli.errors import AccessDenied, CommandError, Exit, NotAuthenticated, NotNow
from waypost.ports.cluster import (
    Busy,
    Cluster,
    ClusterError,
    Kind,
    NotFound,
    Obj,
    Rejected,
    Unavailable,
)

T = TypeVar("T")
_TIMEOUT = 30.0  # seconds of a request; longer than in the operator, which has fences to keep
# What the API server answers while it starts, or before it serves a new CRD.
_STARTING = (429, 503)


@dataclass(frozen=True)
class Target:
    """The cluster and namespace named by the options of a command; None: the default."""

    kubeconfig: Path | None
    context: str | None
    namespace: str | None


@dataclass(frozen=True)
class Session:
    """An open connection, and the namespace to work in."""

    cluster: KubeCluster
    namespace: str


class _NoTelemetry:
    """A command reports to the person who called it, not to a metrics system."""

    def api_request(self, *, verb: str, resource: str, code: str, seconds: float) -> None: ...


def with_cluster(target: Target, work: Callable[[Session], Awaitable[T]]) -> T:
    """Run `work` in an event loop with a session, and return its result.

    Raises:
        CommandError: the cluster cannot be reached or refused a request.
        typer.Exit: interrupted (Ctrl-C).
    """

    async def run() -> T:
        async with _connected(target) as session:
            return await work(session)

    try:
        return asyncio.run(run())
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    except (ClusterError, CredentialsError) as error:
        raise explained(error) from error


async def bearer(target: Target) -> str:
    """The header Authorization of the context; "" if it has no token. Raises CommandError."""
    _, source = _chosen(target)
    try:
        return (await source.current()).authorization
    except CredentialsError as error:
        raise explained(error) from error


def _chosen(target: Target) -> tuple[Choice, CredentialSource]:
    chosen = choose(kubeconfig=target.kubeconfig, context=target.context)
    if chosen.path is None:
        return chosen, ServiceAccountSource()
    return chosen, KubeconfigSource(path=chosen.path, context=chosen.context)


@asynccontextmanager
async def _connected(target: Target) -> AsyncIterator[Session]:
    chosen, source = _chosen(target)
    # Outside the time of the first request: to read a kubeconfig takes seconds of processor time
    # on a busy machine, and an exec plug-in may wait for a person.
    await source.current()
    cluster = KubeCluster(credentials=source, telemetry=_NoTelemetry(), timeout=_TIMEOUT)
    try:
        yield Session(cluster=cluster, namespace=target.namespace or chosen.namespace)
    finally:
        await cluster.close()


def as_person(
    server: str, ca: Path | None, token: str, *, refused: Callable[[], None]
) -> KubeCluster:
    """A connection with the token of a person; close it. `refused`: see TokenSource."""
    source = TokenSource(server=server, ca=ca, token=token, refused=refused)
    return KubeCluster(credentials=source, telemetry=_NoTelemetry(), timeout=_TIMEOUT)


def explained(error: ClusterError | CredentialsError) -> CommandError:
    """The error as a CommandError that says what to do."""
    if isinstance(error, CredentialsError):
        return CommandError(str(error), code=Exit.CLUSTER)
    missing = "could not find the requested resource" in error.message
    if error.code == 404 and (missing or not isinstance(error, NotFound)):
        text = "this cluster has no AgentWorkflow CRD; install Waypost or use another --context"
        return CommandError(text, code=Exit.NOT_FOUND)
    if isinstance(error, NotFound):
        return CommandError(error.message, code=Exit.NOT_FOUND)
    if isinstance(error, Rejected) and error.code == 403:
        return AccessDenied(f"access denied: {error.message}; {_role(error.message)}")
    if error.code == 401:
        return NotAuthenticated(f"not authenticated: {error.message}; log in again")
    if isinstance(error, Busy | Unavailable) and error.code in _STARTING:
        seconds = error.retry_after if isinstance(error, Busy) else 1.0
        text = f"the API server cannot answer now: {error.message}; try again in {seconds:g} s"
        return NotNow(text, retry_after=seconds)
    return CommandError(f"cannot reach the cluster: {error.message}", code=Exit.CLUSTER)


def _role(message: str) -> str:
    """The role that grants what the API server has refused, by its words."""
    if '"pods' in message or '"events"' in message:
        return "Kubernetes' role view grants it"
    if re.search(r"\bcannot (create|update|patch|delete)\b", message):
        name = "approver" if '"approvals' in message else "edit"
        name = "memory-keeper" if '"memoryentries' in message else name
        return f"the chart's role waypost-{name} grants it"
    if '"noderecords' in message:
        return "the chart's role waypost-view-payloads grants it"
    return "the chart's role waypost-view grants read access"


async def find_run(session: Session, name: str) -> Obj:
    """Read the AgentWorkflow `name` in the session's namespace.

    Raises:
        CommandError: it does not exist; names the namespaces that have a run of this name.
    """
    try:
        return await session.cluster.get(
            Kind.AGENT_WORKFLOW, namespace=session.namespace, name=name
        )
    except NotFound as error:
        if "could not find the requested resource" in error.message:
            raise
        others = await _elsewhere(session.cluster, name)
        hint = f"found in namespace {', '.join(others)}: use -n" if others else "see `waypost list`"
        text = f"no AgentWorkflow {name!r} in namespace {session.namespace}; {hint}"
        raise CommandError(text, code=Exit.NOT_FOUND) from error


async def _elsewhere(cluster: Cluster, name: str) -> list[str]:
    """Namespaces that have a run of this name, as far as the user may list them."""
    try:
        found = await cluster.list(Kind.AGENT_WORKFLOW, fields=f"metadata.name={name}")
    except ClusterError:
        return []  # only the hint is missing then
    return sorted(item["metadata"]["namespace"] for item in found.items)
