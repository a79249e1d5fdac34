"""The composition root of the model gateway: settings become adapters, adapters a service."""

import logging
import time

from waypost.adapters.credentials import find_credentials
from waypost.adapters.kube import KubeCluster
from waypost.gateway.authentication import Authenticator
from waypost.gateway.server import connections, service
from waypost.gateway.tls.serving import NoCertificate
from waypost.gateway.tls.serving import start as start_tls
from waypost.gateway.tls.settings import source_of
from waypost.gateway.upload_limiter import UploadLimiter
from waypost.kube.egress.addresses import AddressRules
from waypost.kube.manifests.tokens import MODELS_TOKEN
from waypost.model_gateway.app import ModelGateway, build_app
from waypost.model_gateway.calls import Calls
from waypost.model_gateway.core.budget import Budgets
from waypost.model_gateway.exchange import Identities
from waypost.model_gateway.http_requests import Requests
from waypost.model_gateway.keys import Keys
from waypost.model_gateway.metrics import ModelMetrics
from waypost.model_gateway.oauth import Tokens
from waypost.model_gateway.pacing import Pacing
from waypost.model_gateway.settings import ModelGatewaySettings
from waypost.model_gateway.tools import ToolServers
from waypost.model_gateway.upstream import Upstream
from waypost.ports.cluster import Cluster
from waypost.settings import networks

log = logging.getLogger("waypost.models")


def run(settings: ModelGatewaySettings) -> int:
    """Serve until SIGTERM, finish calls in progress, and return the exit code."""
    failures = (NoCertificate,)
    return service.run(
        settings, "model-gateway", lambda: _run(settings), log=log, failures=failures
    )


async def _run(settings: ModelGatewaySettings) -> None:
    metrics = ModelMetrics()
    credentials = find_credentials(kubeconfig=settings.kubeconfig)
    cluster = KubeCluster(credentials=credentials, telemetry=metrics)
    rules = AddressRules(private_hosts=networks(settings.private_hosts))
    upstream, hosts = Upstream(rules=rules), Upstream(rules=rules, once=True)
    try:
        gateway = assemble(
            settings, cluster=cluster, upstream=upstream, hosts=hosts, metrics=metrics
        )
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
        async with service.prepared(
            config,
            host=settings.models_host,
            http_port=settings.http_port,
            exposition=metrics.exposition,
            plain_port=settings.plain_port,
            tls=tls,
            source=source,
        ) as server:
            await server.serve()
    finally:
        await hosts.close()
        await upstream.close()
        await cluster.close()


def assemble(
    settings: ModelGatewaySettings,
    *,
    cluster: Cluster,
    upstream: Upstream,
    hosts: Upstream,
    metrics: ModelMetrics,
) -> ModelGateway:
    """Create the parts of a model gateway: `upstream` calls providers, `hosts` those of http
    nodes and tool servers."""
    authenticator = Authenticator(
        cluster=cluster,
        accepted=MODELS_TOKEN,
        monotonic=time.monotonic,
        now=time.time,
        check_source=settings.check_source,
    )
    identities = Identities(frozenset(host.lower() for host in settings.identity_hosts))
    keys = Keys(cluster=cluster, monotonic=time.monotonic)
    pacing = Pacing(monotonic=time.monotonic, replicas=settings.models_replicas)
    metrics.follow_waiting(lambda: pacing.waiting)
    return ModelGateway(
        calls=Calls(
            cluster=cluster,
            authenticator=authenticator,
            keys=keys,
            upstream=upstream,
            pacing=pacing,
            budgets=Budgets(),
            identities=identities,
        ),
        requests=Requests(
            cluster=cluster,
            authenticator=authenticator,
            keys=keys,
            upstream=hosts,
            identities=identities,
        ),
        tools=ToolServers(
            cluster=cluster,
            authenticator=authenticator,
            keys=keys,
            tokens=Tokens(upstream=hosts, monotonic=time.monotonic),
            upstream=hosts,
            identities=identities,
        ),
        bodies=UploadLimiter(room=settings.models_room, seconds=settings.models_body_seconds),
        metrics=metrics,
        largest=settings.models_body_bytes,
        exemplars=settings.exemplars,
    )
