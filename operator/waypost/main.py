"""The composition root: builds adapters from settings, the controller from adapters, and runs it.

Only the command line imports it.
"""

import asyncio
import logging
import socket
import uuid
from collections.abc import Callable

from waypost import __version__
from waypost.adapters import collector, kopf_app
from waypost.adapters.clock import SystemClock
from waypost.adapters.credentials import CredentialSource, find_credentials
from waypost.adapters.evaluation import pool
from waypost.adapters.evaluation.pool import ChildProcess
from waypost.adapters.evaluation.thread import OneThread
from waypost.adapters.http import build_app, serve
from waypost.adapters.kube import KubeCluster
from waypost.adapters.logs import configure_logging
from waypost.adapters.metrics import Metrics
from waypost.adapters.supervise import OperatorFailed, Spawned, Watch, run_operator
from waypost.adapters.telemetry import OperatorTelemetry
from waypost.adapters.tracing import NoTracer, Tracer, otlp_tracer
from waypost.adapters.uninstall import release_children, release_pods, report
from waypost.addresses import with_address
from waypost.api.isolation.policy import NODE_ACCOUNT
from waypost.kube.egress.policy import EgressSettings
from waypost.kube.logs.policy import LogSettings
from waypost.kube.manifests.pod import PodSettings
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster
from waypost.ports.sink import Sink
from waypost.probes.job import ProbeSettings
from waypost.runtime.controller import Controller
from waypost.runtime.leader_election import Leadership, Lease, LeaseSettings, NoElection
from waypost.runtime.set_aside import REASONS
from waypost.runtime.settings import ApprovalSettings, ControllerSettings
from waypost.settings import CleanupSettings, Settings, networks, quantities
from waypost.trust import NoCertificates, TrustFile

# After it has drained, the controller releases pods, within STOP_CONTROLLER_SECONDS in all.
DRAIN_SECONDS = 9.0
# Within this time the Job controller creates the pods of the last Jobs of the operator. They get
# the finalizer, so they need a second release.
LAST_PODS_SECONDS = 3.0

logger = logging.getLogger("waypost")


def run(settings: Settings) -> int:
    """Run the operator until a signal stops it. Returns the exit code."""
    configure_logging(level=settings.log_level, style=settings.log_format)
    logger.info("waypost %s starts", __version__)
    tracer = _tracer(settings)
    try:
        asyncio.run(_run(settings, tracer))
    except OperatorFailed as error:
        logger.critical("stopped: %s", error, exc_info=error.__cause__)
        return 1
    except (OSError, NoCertificates) as error:
        logger.critical("stopped: %s", error)
        return 1
    finally:
        tracer.close()
    logger.info("stopped")
    return 0


def _tracer(settings: Settings) -> Tracer:
    if not settings.otlp_endpoint:
        return NoTracer()
    return otlp_tracer(endpoint=settings.otlp_endpoint, conventions=settings.otlp_conventions)


def uninstall(settings: CleanupSettings) -> int:
    """Release every pod and child run that waits to be read. Returns the exit code."""
    configure_logging(level=settings.log_level, style=settings.log_format)
    return asyncio.run(_uninstall(settings))


async def _run(settings: Settings, tracer: Tracer) -> None:
    metrics = Metrics()
    telemetry = OperatorTelemetry(metrics=metrics, tracer=tracer, content=settings.trace_content)
    credentials = find_credentials(kubeconfig=settings.kubeconfig)
    cluster = KubeCluster(credentials=credentials, telemetry=telemetry)
    clock = SystemClock()
    passes, child = OneThread(), ChildProcess()
    pool.use(child)
    controller = Controller(
        cluster=cluster,
        clock=clock,
        telemetry=telemetry,
        settings=_controller_settings(settings),
        leadership=_leadership(settings, cluster, clock),
        offload=passes,
        trust=_trust(settings),
    )
    metrics.follow_leader(lambda: controller.leading)
    metrics.follow_queue(
        depth=lambda: controller.queue.depth, oldest=lambda: controller.queue.oldest_seconds
    )
    metrics.follow_active_runs(controller.store.active)
    metrics.follow_signals(controller.store.signals, clock.now)
    metrics.follow_slots(
        held=lambda: controller.slots.held,
        waiting=lambda: controller.slots.waiting,
        oldest=lambda: controller.slots.oldest_created_at,
        now=clock.now,
    )
    metrics.follow_writes(lambda: controller.bucket.waiting)
    metrics.follow_refused_namespaces(lambda: controller.syncer.refused)
    metrics.follow_set_aside(REASONS, controller.set_aside.count)
    app = build_app(probed=controller, metrics=metrics.exposition)
    try:
        await passes(child.start)
        collector.begin()
        async with serve(app, host=settings.http_host, port=settings.http_port):
            watch = _watch(controller, credentials, settings.namespaces)
            await run_operator(controller=controller, watch=watch, stop=asyncio.Event())
    finally:
        passes.close()
        child.close()
        await cluster.close()


def _trust(settings: Settings) -> Callable[[], str]:
    """What pods of nodes are given for the TLS of the gateways. Raises NoCertificates."""
    if settings.tls_ca is None:
        return str
    names = {"gateway": settings.gateway_tls_name, "models": settings.models_tls_name}
    return TrustFile(settings.tls_ca, **names).current


def _leadership(settings: Settings, cluster: Cluster, clock: Clock) -> Leadership:
    if not settings.lease_namespace:
        return NoElection()
    # The host name is the pod's; the suffix distinguishes a restarted process.
    identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:12]}"
    lease = LeaseSettings(
        namespace=settings.lease_namespace,
        name=settings.lease_name,
        identity=identity,
        seconds=settings.lease_seconds,
    )
    return Lease(cluster=cluster, clock=clock, settings=lease)


def _controller_settings(settings: Settings) -> ControllerSettings:
    pods = PodSettings(
        runner_image=settings.runner_image,
        agent_image=settings.agent_image,
        node_account=NODE_ACCOUNT,
        gateway_url=settings.gateway_url or None,
        models_url=settings.models_url or None,
        models_for_all=settings.models_for_all,
        trace_content=settings.trace_content,
        queue=settings.queue,
        image_pull_policy=settings.image_pull_policy,
        job_ttl_seconds=settings.job_ttl_seconds,
        default_requests=quantities(settings.node_requests),
        default_limits=quantities(settings.node_limits),
        egress=EgressSettings(
            gateway_namespace=settings.gateway_namespace,
            gateway_labels=quantities(settings.gateway_labels),
            gateway_address=with_address(settings.gateway_url),
            models_namespace=settings.models_namespace,
            models_labels=quantities(settings.models_labels),
            models_address=with_address(settings.models_url),
            private_hosts=networks(settings.private_hosts),
            cluster_ranges=networks(settings.cluster_ranges),
            dns_addresses=networks(settings.dns_addresses),
        ),
    )
    probes = ProbeSettings(
        runner_image=settings.runner_image,
        agent_image=settings.agent_image,
        node_account=NODE_ACCOUNT,
        image_pull_policy=settings.image_pull_policy,
        again_seconds=settings.probe_seconds,
    )
    return ControllerSettings(
        pods=pods,
        policies=settings.namespace_policies,
        probes=probes,
        logs=LogSettings(settings.keep_logs, settings.log_bytes),
        workers=settings.workers,
        namespaces=settings.namespaces,
        resync_seconds=settings.resync_seconds,
        sweep_seconds=settings.sweep_seconds,
        shutdown_seconds=DRAIN_SECONDS,
        write_qps=settings.write_qps,
        write_burst=settings.write_burst,
        suspend_new_runs=settings.suspend_new_runs,
        archives=settings.archive_before_deletion,
        approvals=ApprovalSettings(
            policy=settings.approvals_policy, strict=settings.approvals_strict
        ),
        node_lost_seconds=settings.node_lost_seconds,
    )


def _watch(sink: Sink, credentials: CredentialSource, namespaces: tuple[str, ...]) -> Watch:
    async def watch(stop: asyncio.Event, spawned: Spawned) -> None:
        await kopf_app.watch(
            sink=sink,
            credentials=credentials,
            namespaces=namespaces,
            stop=stop,
            spawned=spawned,
        )

    return watch


async def _uninstall(settings: CleanupSettings) -> int:
    telemetry = OperatorTelemetry(metrics=Metrics(), tracer=NoTracer())
    credentials = find_credentials(kubeconfig=settings.kubeconfig)
    cluster = KubeCluster(credentials=credentials, telemetry=telemetry)
    said: list[str] = []

    def say(line: str) -> None:
        print(line)
        said.append(line)

    served = settings.namespaces
    try:
        problems = await release_pods(cluster=cluster, namespaces=served, say=say)
        await asyncio.sleep(LAST_PODS_SECONDS)
        problems += await release_pods(cluster=cluster, namespaces=served, say=say)
        problems += await release_children(cluster=cluster, namespaces=served, say=say)
        if settings.cleanup_job:
            await report(
                cluster=cluster,
                namespace=settings.cleanup_namespace,
                job=settings.cleanup_job,
                problems=problems,
                said=said,
                now=SystemClock().now(),
            )
    finally:
        await cluster.close()
    return 1 if problems else 0
