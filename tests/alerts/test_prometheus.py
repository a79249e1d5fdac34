"""The alert drill on a real Prometheus: it scrapes the metrics of two operators and the services.

A minute of the rules is a second here. Each trouble is brought about by the calls with which the
processes count it. None of the alerts may fire while all is well, and each must fire in its
trouble: also when what it counts happens for the first time.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from waypost.adapters.metrics import Metrics
from waypost.archive.metrics import ArchiveMetrics
from waypost.gateway.metrics import GatewayMetrics
from waypost.ingress.metrics import IngressMetrics
from waypost.notifier.metrics import NotifierMetrics
from waypost.telemetry.endings import AttemptEnded, RunEnded
from waypost.telemetry.signals import Signals

from e2e.cluster import monitoring, settings
from e2e.cluster.monitoring import Prometheus
from e2e.suite.waiting import until
from tests.alerts.test_rules import alerts, fast_rules

pytestmark = pytest.mark.nightly

START = datetime(2026, 11, 23, tzinfo=UTC)


def attempt(kind: str, outcome: str, *, queued: float = 1) -> AttemptEnded:
    started = START + timedelta(seconds=queued)
    return AttemptEnded(
        path="n",
        kind=kind,
        round=1,
        number=1,
        outcome=outcome,
        job="j",
        pod_uid="p",
        launched=START,
        started=started,
        finished=started + timedelta(seconds=1),
        usage=None,
    )


class Operator:
    """The metrics of an operator, and the state that they follow."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.leads = False
        self.waits = 0.0  # seconds, of the oldest run in the queue
        self.aside = self.refused = self.slots = 0
        self.signals: list[Signals] = []
        self.code = "200"  # of the answers of the API server
        self.queued = 1.0  # seconds, of attempts that end
        self.metrics.follow_leader(lambda: self.leads)
        self.metrics.follow_queue(depth=lambda: 1, oldest=lambda: self.waits)
        self.metrics.follow_set_aside(("Failing",), lambda _: self.aside)
        self.metrics.follow_refused_namespaces(lambda: self.refused)
        self.metrics.follow_slots(
            held=lambda: 0, waiting=lambda: self.slots, oldest=lambda: None, now=lambda: START
        )
        self.metrics.follow_signals(lambda: self.signals, lambda: START)

    def work(self) -> None:
        """What it does between two scrapes."""
        self.metrics.api_request(verb="get", resource="jobs", code=self.code, seconds=0.1)
        self.metrics.ended(attempt("python", "Succeeded", queued=self.queued))
        self.metrics.reconcile_seconds.labels(outcome="written").observe(0.1)


class Gateway:
    """The metrics of a gateway."""

    def __init__(self) -> None:
        self.metrics = GatewayMetrics()
        self.result = "Stored"

    def work(self) -> None:
        """What it does between two scrapes."""
        for _ in range(10):
            self.metrics.served(method="PUT", type_="result", result=self.result, seconds=0.1)


class Ingress:
    """The metrics of an ingress."""

    def __init__(self) -> None:
        self.metrics = IngressMetrics()
        self.result = "Created"

    def work(self) -> None:
        """What it does between two scrapes."""
        self.metrics.ended(result=self.result, seconds=0.1)


class Archive:
    """The metrics of an archive."""

    def __init__(self) -> None:
        self.metrics = ArchiveMetrics()
        self.failing = 0

    def work(self) -> None:
        """What it does between two scrapes."""
        self.metrics.looked(failed=self.failing)


class Notifier:
    """The metrics of a notifier with one sink."""

    def __init__(self) -> None:
        self.metrics = NotifierMetrics()
        self.oldest = 1.0  # seconds
        self.metrics.follow("chat", pending=lambda: 1, oldest=lambda: self.oldest)

    def work(self) -> None:
        """What it does between two scrapes."""


@dataclass
class Services:
    """The services beside the operators."""

    gateway: Gateway = field(default_factory=Gateway)
    ingress: Ingress = field(default_factory=Ingress)
    archive: Archive = field(default_factory=Archive)
    notifier: Notifier = field(default_factory=Notifier)


Process = Operator | Gateway | Ingress | Archive | Notifier


@contextmanager
def endpoint(process: Process) -> Iterator[str]:
    """Serve the metrics of a process, which works a little for each scrape; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            process.work()
            body, type_ = process.metrics.exposition(self.headers.get("Accept", ""))
            self.send_response(200)
            self.send_header("content-type", type_)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def watching(folder: Path, targets: list[str]) -> Iterator[Prometheus]:
    """A Prometheus that has scraped these addresses with the rules of the chart."""
    chosen = settings.from_environment()
    with monitoring.prometheus(chosen, folder, rules=fast_rules()) as found:
        found.scrape({address: {} for address in targets})
        until(
            lambda: found.passes() >= 20,
            within=60,
            what="Prometheus scrapes all targets",
            seen=lambda: (folder / "prometheus.log").read_text(),
        )
        yield found


def in_trouble(first: Operator, second: Operator, services: Services) -> None:
    """Everything at once, but for an operator that is down. Counters move by one event each."""
    second.leads = True
    first.waits = 61
    first.aside = first.refused = first.slots = 1
    first.signals = [Signals(stalled=True, asked=(START - timedelta(days=2),))]
    first.code = "503"
    first.queued = 400
    services.gateway.result = "TokenInvalid"
    services.ingress.result = "Unavailable"
    services.archive.failing = 1
    services.notifier.oldest = 901
    first.metrics.ended(attempt("python", "ResultLost"))
    first.metrics.ended(attempt("agent", "BudgetExceeded"))
    run = RunEnded(
        round=1,
        outcome="Failed",
        reason="x",
        started=START,
        finished=START,
        compensation="CompensationFailed",
        finally_="FinallyFailed",
    )
    first.metrics.ended(run)
    first.metrics.reconcile_seconds.labels(outcome="bug").observe(0.1)


def test_each_alert_fires_in_its_trouble_and_none_without(tmp_path: Path) -> None:
    first, second, services = Operator(), Operator(), Services()
    first.leads = True
    processes: list[Process] = [first, second, *vars(services).values()]
    with ExitStack() as stack:
        targets = [stack.enter_context(endpoint(process)) for process in processes]
        server = stack.enter_context(watching(tmp_path, targets))
        assert server.firing() == set(), "all is well"
        every = {rule["alert"] for rule in alerts()}
        fired: set[str] = set()

        def all_but_down() -> bool:
            fired.update(server.firing())
            return fired >= every - {"WaypostOperatorDown"}

        in_trouble(first, second, services)
        until(
            all_but_down,
            within=120,
            what="every alert fires",
            seen=lambda: f"silent: {sorted(every - fired)}",
        )
        assert "WaypostOperatorDown" not in fired
        first.leads = second.leads = False
        until(lambda: "WaypostOperatorDown" in server.firing(), within=60, what="it is down")
        first.leads = True
        until(lambda: "WaypostOperatorDown" not in server.firing(), within=60, what="it is back")
