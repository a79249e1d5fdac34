"""An installation that real tools watch: an OpenTelemetry Collector receives its spans, and a
Prometheus scrapes every process of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.cluster import api, collecting, monitoring
from e2e.cluster.collecting import Collector
from e2e.cluster.monitoring import Prometheus
from e2e.cluster.settings import from_environment
from e2e.suite.install import install
from e2e.suite.kube import Kube, path_of
from e2e.suite.operators import NAMESPACE, is_ready
from e2e.suite.waiting import until
from tests.alerts.test_rules import fast_rules

INSTANCE = "app.kubernetes.io/instance=waypost"
METRICS_PORT = "http"  # name of the port of /metrics in every pod of the chart


@dataclass(frozen=True)
class Watched:
    """The tools, and the cluster that they watch."""

    kube: Kube
    collector: Collector
    prometheus: Prometheus

    def scrape(self) -> None:
        """Let Prometheus scrape the pods that are ready now, by way of the API server."""
        found = self.kube.request("GET", path_of("pods", NAMESPACE), labelSelector=INSTANCE)
        targets = {}
        for pod in found["items"]:
            ports = [p for c in pod["spec"]["containers"] for p in c.get("ports", ())]
            port = next((p["containerPort"] for p in ports if p["name"] == METRICS_PORT), None)
            if port is None or not is_ready(pod):
                continue
            name = pod["metadata"]["name"]
            path = f"/{path_of('pods', NAMESPACE, f'{name}:{port}', 'proxy/metrics')}"
            labels = {"instance": name, "__metrics_path__": path.replace("//", "/")}
            targets[f"127.0.0.1:{self.kube.port}#{name}"] = labels
        self.prometheus.scrape(targets)

    def sees(self, alert: str, *, fires: bool = True) -> None:
        """Return when an alert fires, or no longer does."""
        until(
            lambda: (alert in self.prometheus.firing()) == fires,
            within=60,
            what=f"{alert} {'fires' if fires else 'is over'}",
            seen=self.prometheus.firing,
        )


@contextmanager
def watched(
    kube: Kube, cluster: api.Cluster, folder: Path, values: dict[str, str]
) -> Iterator[Watched]:
    """Install the chart with these values too, and watch it until the context ends. Both programs
    are built from source when the cache has none. Skips where pods do not reach this machine."""
    if cluster.provider != "embedded":
        pytest.skip("a collector on this machine is reached from pods with CLUSTER=embedded only")
    settings = from_environment(provider=cluster.provider)
    with (
        collecting.collecting(settings, folder, host=settings.link.host) as collector,
        monitoring.prometheus(settings, folder, rules=fast_rules(), interval="1s") as prometheus,
    ):
        chosen = {"otlp.endpoint": collector.endpoint, **values}
        install(kube, cluster.chart_values | chosen)
        found = Watched(kube, collector, prometheus)
        try:
            found.scrape()
            until(lambda: prometheus.passes() >= 4, within=60, what="Prometheus scrapes all pods")
            yield found
        finally:
            install(kube, cluster.chart_values)
