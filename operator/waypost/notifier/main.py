"""The composition root of the notifier: settings become adapters, adapters a service."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable

from waypost import __version__
from waypost.adapters import collector
from waypost.adapters.credentials import find_credentials
from waypost.adapters.http import build_app, serve
from waypost.adapters.kube import KubeCluster
from waypost.adapters.logs import configure_logging
from waypost.kube.egress.addresses import AddressRules
from waypost.notifier.courier import Sink, Surroundings
from waypost.notifier.metrics import NotifierMetrics
from waypost.notifier.sender import Sender
from waypost.notifier.service import Notifier
from waypost.notifier.settings import NotifierSettings
from waypost.notifier.state import Overwritten, State
from waypost.settings import networks

log = logging.getLogger("waypost.notifier")


def run(settings: NotifierSettings) -> int:
    """Serve until SIGTERM, finish what is being sent, and return the exit code."""
    configure_logging(level=settings.log_level, style=settings.log_format)
    log.info("waypost notifier %s starts", __version__)
    try:
        asyncio.run(_run(settings))
    except Overwritten as error:
        log.error("%s; the notifier starts again from there", error)
        return 1
    log.info("stopped")
    return 0


async def _run(settings: NotifierSettings) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    metrics = NotifierMetrics()
    credentials = find_credentials(kubeconfig=settings.kubeconfig)
    cluster = KubeCluster(credentials=credentials, telemetry=metrics)
    rules = AddressRules(
        private_hosts=networks(settings.private_hosts), setting="notifications.privateHosts"
    )
    sender = Sender(rules=rules, now=time.time)
    try:
        notifier = assemble(settings, cluster=cluster, sender=sender, metrics=metrics)
        probes = build_app(probed=notifier, metrics=metrics.exposition)
        collector.begin()
        async with serve(probes, host=settings.notifier_host, port=settings.http_port):
            await notifier.run(stopping)
    finally:
        await sender.close()
        await cluster.close()


def assemble(
    settings: NotifierSettings, *, cluster: KubeCluster, sender: Sender, metrics: NotifierMetrics
) -> Notifier:
    """Create the parts of a notifier."""

    def around(changed: Callable[[], None]) -> Surroundings:
        return Surroundings(sender.send, metrics, settings.notifier_ui_url, time.time, changed)

    return Notifier(
        sinks=[Sink(one, settings.notifier_files) for one in settings.notifier_sinks],
        reader=cluster,
        namespaces=settings.namespaces,
        state=State(
            cluster=cluster, namespace=settings.notifier_namespace, name=settings.notifier_state
        ),
        around=around,
        now=time.time,
    )
