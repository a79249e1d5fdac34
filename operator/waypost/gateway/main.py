"""The gateway's composition root: settings become adapters, adapters a service."""

import asyncio
import contextlib
import logging
import time
from typing import Final

import uvicorn

from waypost.adapters.credentials import find_credentials
from waypost.adapters.evaluation import pool
from waypost.adapters.evaluation.child import Limits
from waypost.adapters.evaluation.pool import ChildProcess
from waypost.adapters.kube import KubeCluster
from waypost.gateway.app import Gateway, build_app
from waypost.gateway.artifacts.routes import ArtifactRoutes
from waypost.gateway.artifacts.store import ArtifactStore
from waypost.gateway.authentication import Authenticator
from waypost.gateway.journals import Journals
from waypost.gateway.metrics import GatewayMetrics
from waypost.gateway.objects import Bucket, S3Settings, s3
from waypost.gateway.output_validation import OutputValidator
from waypost.gateway.payload_store import ObjectError, PayloadStore
from waypost.gateway.server import connections, service
from waypost.gateway.settings import GatewaySettings
from waypost.gateway.sweep import Sweeper
from waypost.gateway.tls.serving import NoCertificate, ServerTls
from waypost.gateway.tls.serving import start as start_tls
from waypost.gateway.tls.settings import source_of
from waypost.gateway.upload_limiter import UploadLimiter
from waypost.kube import objects
from waypost.kube.manifests.tokens import GATEWAY_TOKEN
from waypost.ports.cluster import Cluster, ClusterError, Kind

# Of the process that checks bodies: it holds the values of one, at most 64 MiB of text.
LIMITS: Final = Limits(memory=448 * 1024 * 1024, cpu_seconds=30.0)
_PATIENCE_SECONDS: Final = 240.0  # for a body, on a machine that is busy

log = logging.getLogger("waypost.gateway")


class NotStarted(Exception):
    """The gateway cannot serve with these settings. The message says why."""


def run(settings: GatewaySettings) -> int:
    """Serve until SIGTERM, finish uploads in progress, and return the exit code."""
    failures = (NotStarted, NoCertificate)
    return service.run(settings, "gateway", lambda: _run(settings), log=log, failures=failures)


async def _run(settings: GatewaySettings) -> None:
    metrics = GatewayMetrics()
    credentials = find_credentials(kubeconfig=settings.kubeconfig)
    cluster = KubeCluster(credentials=credentials, telemetry=metrics)
    child = ChildProcess(LIMITS, patience_seconds=_PATIENCE_SECONDS)
    pool.use(child)
    try:
        await asyncio.to_thread(child.start)
        bucket = await _bucket(settings, cluster) if settings.s3_bucket else None
        gateway = assemble(settings, cluster=cluster, bucket=bucket, metrics=metrics)
        source = source_of(settings, cluster)
        tls = await start_tls(source) if source else None
        config = uvicorn_config(gateway, settings, tls=tls)
        async with service.prepared(
            config,
            host=settings.gateway_host,
            http_port=settings.http_port,
            exposition=metrics.exposition,
            plain_port=settings.plain_port,
            tls=tls,
            source=source,
        ) as server:
            sweeping = _sweeping(settings, cluster, bucket, metrics)
            try:
                await server.serve()
            finally:
                sweeping.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await sweeping
    finally:
        pool.use(None)
        child.close()
        await cluster.close()


def assemble(
    settings: GatewaySettings, *, cluster: Cluster, bucket: Bucket | None, metrics: GatewayMetrics
) -> Gateway:
    """Create the parts of a gateway."""
    uploads = UploadLimiter(room=settings.gateway_room, seconds=settings.gateway_body_seconds)
    metrics.follow_in_flight(lambda: uploads.in_flight)
    authenticator = Authenticator(
        cluster=cluster,
        accepted=GATEWAY_TOKEN,
        monotonic=time.monotonic,
        now=time.time,
        check_source=settings.check_source,
    )
    return Gateway(
        authenticator=authenticator,
        uploads=uploads,
        store=PayloadStore(cluster=cluster, objects=bucket, largest=settings.s3_max_bytes),
        journals=Journals(cluster=cluster),
        validator=OutputValidator(),
        metrics=metrics,
        artifacts=ArtifactRoutes(
            authenticator=authenticator,
            uploads=uploads,
            store=ArtifactStore(cluster=cluster, objects_=bucket),
            metrics=metrics,
            stall=settings.gateway_body_seconds,
        ),
    )


def uvicorn_config(
    gateway: Gateway, settings: GatewaySettings, *, tls: ServerTls | None = None
) -> uvicorn.Config:
    """The configuration of the HTTP server."""
    return connections.uvicorn_config(
        build_app(gateway),
        host=settings.gateway_host,
        port=settings.gateway_port,
        connections_=settings.gateway_connections,
        shutdown_seconds=settings.gateway_shutdown_seconds,
        tls=tls,
    )


async def _bucket(settings: GatewaySettings, cluster: Cluster) -> Bucket:
    if not settings.s3_prefix:
        text = "WAYPOST_S3_PREFIX is not set; choose a prefix that no other installation uses"
        raise NotStarted(text)
    found = S3Settings(
        bucket=settings.s3_bucket,
        prefix=settings.s3_prefix,
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        path_style=settings.s3_path_style,
    )
    bucket = s3(found)
    try:
        # The uid is the same after a reinstallation and different in every cluster.
        system = await cluster.get(Kind.NAMESPACE, namespace=None, name="kube-system")
        await bucket.claim(objects.text(objects.section(system, "metadata"), "uid"))
    except (ClusterError, ObjectError) as error:
        raise NotStarted(f"object store {found.bucket}/{found.prefix}: {error}") from error
    return bucket


def _sweeping(
    settings: GatewaySettings,
    cluster: Cluster,
    bucket: Bucket | None,
    metrics: GatewayMetrics,
) -> "asyncio.Task[None]":
    if bucket is None:
        return asyncio.create_task(asyncio.sleep(0), name="no-sweep")
    sweeper = Sweeper(cluster=cluster, bucket=bucket, swept=metrics.swept)
    return asyncio.create_task(sweeper.run(every=settings.s3_sweep_seconds), name="sweep")
