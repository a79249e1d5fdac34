"""The composition root of the admission webhook: settings become adapters, adapters a service."""

import logging

from waypost.adapters.credentials import find_credentials
from waypost.adapters.kube import KubeCluster
from waypost.admission.app import ROOM, SECONDS, AdmissionWebhook, build_app
from waypost.admission.metrics import AdmissionMetrics
from waypost.admission.registration import Registered
from waypost.admission.settings import AdmissionSettings
from waypost.gateway.server import connections, service
from waypost.gateway.tls.secret import SelfSigned
from waypost.gateway.tls.serving import NoCertificate, Source
from waypost.gateway.tls.serving import start as start_tls
from waypost.gateway.tls.settings import source_of
from waypost.gateway.upload_limiter import UploadLimiter
from waypost.ports.cluster import Cluster

_CONNECTIONS = 256
_SHUTDOWN_SECONDS = 5  # the API server waits 3 s for an answer

log = logging.getLogger("waypost.admission")


def run(settings: AdmissionSettings) -> int:
    """Serve until SIGTERM, answer what has arrived, and return the exit code."""
    failures = (NoCertificate,)
    return service.run(settings, "admission", lambda: _run(settings), log=log, failures=failures)


async def _run(settings: AdmissionSettings) -> None:
    metrics = AdmissionMetrics()
    credentials = find_credentials(kubeconfig=settings.kubeconfig)
    cluster = KubeCluster(credentials=credentials, telemetry=metrics)
    try:
        source = certificates_of(settings, cluster)
        tls = await start_tls(source)
        bodies = UploadLimiter(room=ROOM, seconds=SECONDS)
        config = connections.uvicorn_config(
            build_app(AdmissionWebhook(bodies, metrics)),
            host=settings.admission_host,
            port=settings.admission_port,
            connections_=_CONNECTIONS,
            shutdown_seconds=_SHUTDOWN_SECONDS,
            tls=tls,
        )
        async with service.prepared(
            config,
            host=settings.admission_host,
            http_port=settings.http_port,
            exposition=metrics.exposition,
            tls=tls,
            source=source,
        ) as server:
            await server.serve()
    finally:
        await cluster.close()


def certificates_of(settings: AdmissionSettings, cluster: Cluster) -> Source:
    """Where the certificates come from; those of our own CA are registered."""
    source = source_of(settings, cluster)
    if source is None:
        raise NoCertificate("WAYPOST_TLS_SECRET or WAYPOST_TLS_FILES is required")
    if settings.admission_configuration and isinstance(source, SelfSigned):
        return Registered(source, cluster=cluster, name=settings.admission_configuration)
    return source
