"""The composition root of the archive: settings become adapters, adapters a service."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

from waypost import __version__
from waypost.adapters.credentials import CallerSource, CredentialSource, find_credentials
from waypost.adapters.evaluation.thread import OneThread
from waypost.adapters.kube import KubeCluster
from waypost.adapters.logs import configure_logging
from waypost.archive.app import Archive, build_app
from waypost.archive.archiver import Archiver, Limits, repeat
from waypost.archive.metrics import ArchiveMetrics
from waypost.archive.settings import ArchiveSettings
from waypost.archive.storage.database import DatabaseError, open_database
from waypost.archive.storage.store import Store
from waypost.archive.storage.threads import AsyncStore
from waypost.gateway.server import connections, service
from waypost.ports.cluster import Cluster

log = logging.getLogger("waypost.archive")
_SHUTDOWN_SECONDS = 15
_RETENTION_SECONDS = 3600.0


def run(settings: ArchiveSettings) -> int:
    """Archive and serve until SIGTERM. Returns the exit code."""
    configure_logging(level=settings.log_level, style=settings.log_format)
    log.info("waypost archive %s starts", __version__)
    try:
        engine = open_database(settings.archive_database.get_secret_value())
    except DatabaseError as error:
        log.critical("stopped: %s", error)
        return 1
    service.ignore_sigterm()
    try:
        asyncio.run(_run(settings, Store(engine)))
    finally:
        engine.dispose()
    log.info("stopped")
    return 0


async def _run(settings: ArchiveSettings, store: Store) -> None:
    metrics, kept = ArchiveMetrics(), AsyncStore(store)
    encoding, decoding = OneThread(), OneThread()
    credentials = find_credentials(kubeconfig=settings.kubeconfig)
    cluster = KubeCluster(credentials=credentials, telemetry=metrics)
    archiver = Archiver(
        cluster=cluster,
        keeper=kept,
        metrics=metrics,
        limits=_limits(settings),
        offload=encoding,
        now=lambda: datetime.now(UTC),
    )
    connect = _connect(credentials, metrics)
    archive = Archive(library=kept, connect=connect, metrics=metrics, offload=decoding)
    config = connections.uvicorn_config(
        build_app(archive),
        host=settings.archive_host,
        port=settings.archive_port,
        connections_=settings.archive_connections,
        shutdown_seconds=_SHUTDOWN_SECONDS,
    )
    stop = asyncio.Event()
    try:
        async with (
            service.prepared(
                config,
                host=settings.archive_host,
                http_port=settings.http_port,
                exposition=metrics.exposition,
            ) as server,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(
                repeat(archiver.look, every=settings.archive_seconds, what="a look", stop=stop)
            )
            tasks.create_task(
                repeat(
                    archiver.forget_old, every=_RETENTION_SECONDS, what="the retention", stop=stop
                )
            )
            await server.serve()
            stop.set()
    finally:
        kept.close()
        encoding.close()
        decoding.close()
        await cluster.close()


def _limits(settings: ArchiveSettings) -> Limits:
    days = settings.archive_retention_days
    return Limits(
        namespaces=settings.namespaces,
        document=settings.archive_document_bytes,
        kept=timedelta(days=days) if days else None,
    )


def _connect(
    credentials: CredentialSource, metrics: ArchiveMetrics
) -> Callable[[str], AbstractAsyncContextManager[Cluster]]:
    """Connections to the same API server, with the tokens of callers and nothing of our own."""

    @asynccontextmanager
    async def connect(token: str) -> AsyncIterator[Cluster]:
        source = CallerSource(own=await credentials.current(), token=token)
        cluster = KubeCluster(credentials=source, telemetry=metrics)
        try:
            yield cluster
        finally:
            await cluster.close()

    return connect
