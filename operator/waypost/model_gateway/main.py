"""The composition root of the model gateway: settings become adapters, adapters a service."""

import asyncio
import logging
import signal
import time

from waypost import __version__
from waypost.adapters import collector
from waypost.adapters.credentials import find_credentials
from waypost.adapters.http import build_app as build_probes
from waypost.adapters.http import serve as serve_probes
from waypost.adapters.kube import KubeCluster
from waypost.adapters.logs import configure_logging
from waypost.gateway import connections
from waypost.gateway.authentication import Authenticator
from waypost.gateway.tls.serving import NoCertificate, kept_current
from waypost.gateway.tls.serving import start as start_tls
from waypost.gateway.tls.settings import source_of
from waypost.gateway.upload_limiter import UploadLimiter
from waypost.kube.egress.addresses import AddressRules
from waypost.kube.manifests.tokens import MODELS_TOKEN
from waypost.model_gateway.app import ModelGateway, build_app
from waypost.model_gateway.calls import Calls
from waypost.model_gateway.core.budget import Budgets
from waypost.model_gateway.keys import Keys
from waypost.model_gateway.metrics import ModelMetrics
from waypost.model_gateway.pacing import Pacing
from waypost.model_gateway.settings import ModelGatewaySettings
from waypost.model_gateway.upstream import Upstream
from waypost.ports.cluster import Cluster
from waypost.settings import networks

log = logging.getLogger("waypost.models")


def run(settings: ModelGatewaySettings) -> int:
    """Serve until SIGTERM, finish calls in progress, and return the exit code."""
    configure_logging(level=settings.log_level, style=settings.log_format)
    log.info("waypost model-gateway %s starts", __version__)
    # uvicorn shuts down on the signal and then raises it again; ignore it then.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        asyncio.run(_run(settings))
    except NoCertificate as error:
        log.critical("stopped: %s", error)
        return 1
    log.info("stopped")
    return 0


async def _run(settings: ModelGatewaySettings) -> None:
    metrics = ModelMetrics()
    credentials = find_credentials(kubeconfig=settings.kubeconfig)
    cluster = KubeCluster(credentials=credentials, telemetry=metrics)
    upstream = Upstream(rules=AddressRules(private_hosts=networks(settings.private_hosts)))
    try:
        gateway = assemble(settings, cluster=cluster, upstream=upstream, metrics=metrics)
        source = source_of(settings, cluster)
        tls = await start_tls(source) if source else None
        config = connections.uvicorn_config(
            build_app(gateway),
            host=settings.models_host,
            port=settings.models_port,
            connections_=settings.models_connections,
            shutdown_seconds=settings.models_shutdown_seconds,
            tls=tls,
        )
        server = connections.Server(config, plain_port=settings.plain_port)
        probes = build_probes(probed=connections.Serving(server), metrics=metrics.exposition)
        collector.begin()
        async with (
            serve_probes(probes, host=settings.models_host, port=settings.http_port),
            kept_current(tls, source),
        ):
            await server.serve()
    finally:
        await upstream.close()
        await cluster.close()


def assemble(
    settings: ModelGatewaySettings,
    *,
    cluster: Cluster,
    upstream: Upstream,
    metrics: ModelMetrics,
) -> ModelGateway:
    """Create the parts of a model gateway."""
    authenticator = Authenticator(
        cluster=cluster, accepted=MODELS_TOKEN, monotonic=time.monotonic, now=time.time
    )
    pacing = Pacing(monotonic=time.monotonic, replicas=settings.models_replicas)
    metrics.follow_waiting(lambda: pacing.waiting)
    return ModelGateway(
        calls=Calls(
            cluster=cluster,
            authenticator=authenticator,
            keys=Keys(cluster=cluster, monotonic=time.monotonic),
            upstream=upstream,
            pacing=pacing,
            budgets=Budgets(),
        ),
        bodies=UploadLimiter(room=settings.models_room, seconds=settings.models_body_seconds),
        metrics=metrics,
        largest=settings.models_body_bytes,
        exemplars=settings.exemplars,
    )
