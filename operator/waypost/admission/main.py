"""The composition root of the admission webhook: settings become adapters, adapters a service."""

import asyncio
import logging
import signal

from waypost import __version__
from waypost.adapters import collector
from waypost.adapters.credentials import find_credentials
from waypost.adapters.http import build_app as build_probes
from waypost.adapters.http import serve as serve_probes
from waypost.adapters.kube import KubeCluster
from waypost.adapters.logs import configure_logging
from waypost.admission.app import ROOM, SECONDS, AdmissionWebhook, build_app
from waypost.admission.metrics import AdmissionMetrics
from waypost.admission.registration import Registered
from waypost.admission.settings import AdmissionSettings
from waypost.gateway import connections
from waypost.gateway.tls.secret import SelfSigned
from waypost.gateway.tls.serving import NoCertificate, Source, kept_current
from waypost.gateway.tls.serving import start as start_tls
from waypost.gateway.tls.settings import source_of
from waypost.gateway.upload_limiter import UploadLimiter
from waypost.ports.cluster import Cluster

_CONNECTIONS = 256
_SHUTDOWN_SECONDS = 5  # the API server waits 3 s for an answer

log = logging.getLogger("waypost.admission")


def run(settings: AdmissionSettings) -> int:
    """Serve until SIGTERM, answer what has arrived, and return the exit code."""
    configure_logging(level=settings.log_level, style=settings.log_format)
    log.info("waypost admission %s starts", __version__)
    # uvicorn shuts down on the signal and then raises it again; ignore it then.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        asyncio.run(_run(settings))
    except NoCertificate as error:
        log.critical("stopped: %s", error)
        return 1
    log.info("stopped")
    return 0


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
        server = connections.Server(config)
        probes = build_probes(probed=connections.Serving(server), metrics=metrics.exposition)
        collector.begin()
        async with (
            serve_probes(probes, host=settings.admission_host, port=settings.http_port),
            kept_current(tls, source),
        ):
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
