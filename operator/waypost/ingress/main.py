"""The composition root of the ingress: settings become adapters, adapters a service."""

import logging
import time

from waypost.adapters.credentials import find_credentials
from waypost.adapters.evaluation import pool
from waypost.adapters.evaluation.pool import ChildProcess
from waypost.adapters.evaluation.thread import OneThread
from waypost.adapters.kube import KubeCluster
from waypost.adapters.outbound.documents import Documents
from waypost.gateway.server import connections, service
from waypost.gateway.upload_limiter import UploadLimiter
from waypost.ingress.app import Ingress, build_app
from waypost.ingress.core.rates import Rates
from waypost.ingress.deliveries import Deliveries
from waypost.ingress.directory import Directory
from waypost.ingress.issuers import Issuers
from waypost.ingress.keys import Keys
from waypost.ingress.metrics import IngressMetrics
from waypost.ingress.settings import IngressSettings
from waypost.kube.egress.addresses import AddressRules
from waypost.ports.cluster import Cluster
from waypost.ports.offload import Offload
from waypost.settings import networks

log = logging.getLogger("waypost.ingress")
_SHUTDOWN_SECONDS = 15


def run(settings: IngressSettings) -> int:
    """Serve until SIGTERM, finish requests in progress, and return the exit code."""
    return service.run(settings, "ingress", lambda: _run(settings), log=log)


async def _run(settings: IngressSettings) -> None:
    metrics = IngressMetrics()
    credentials = find_credentials(kubeconfig=settings.kubeconfig)
    cluster = KubeCluster(credentials=credentials, telemetry=metrics)
    documents = Documents(rules=_rules(settings))
    passes, child = OneThread(), ChildProcess()
    pool.use(child)
    try:
        issuers = Issuers(read=documents.read, monotonic=time.monotonic)
        ingress = assemble(
            settings, cluster=cluster, issuers=issuers, offload=passes, metrics=metrics
        )
        config = connections.uvicorn_config(
            build_app(ingress),
            host=settings.ingress_host,
            port=settings.ingress_port,
            connections_=settings.ingress_connections,
            shutdown_seconds=_SHUTDOWN_SECONDS,
        )
        await passes(child.start)
        async with service.prepared(
            config,
            host=settings.ingress_host,
            http_port=settings.http_port,
            exposition=metrics.exposition,
        ) as server:
            await server.serve()
    finally:
        passes.close()
        child.close()
        await documents.close()
        await cluster.close()


def _rules(settings: IngressSettings) -> AddressRules:
    private = networks(settings.private_hosts)
    return AddressRules(private_hosts=private, setting="ingress.privateHosts")


def assemble(
    settings: IngressSettings,
    *,
    cluster: Cluster,
    issuers: Issuers,
    offload: Offload,
    metrics: IngressMetrics,
) -> Ingress:
    """Create the parts of an ingress."""
    rates = Rates()
    deliveries = Deliveries(
        cluster=cluster,
        directory=Directory(
            cluster=cluster,
            namespaces=settings.namespaces,
            monotonic=time.monotonic,
            listed=rates.forget_others,
        ),
        keys=Keys(cluster=cluster, monotonic=time.monotonic),
        issuers=issuers,
        rates=rates,
        offload=offload,
        now=time.time,
        monotonic=time.monotonic,
    )
    return Ingress(
        deliveries=deliveries,
        bodies=UploadLimiter(room=settings.ingress_room, seconds=settings.ingress_seconds),
        metrics=metrics,
        largest=settings.ingress_body_bytes,
        seconds=settings.ingress_seconds,
    )
