"""Prometheus metrics of the ingress, described in docs/metrics.md. Label values come from closed
lists: no names of namespaces, sources or senders."""

from typing import Final

from prometheus_client import Counter, Histogram

from waypost.gateway.metrics import ServiceMetrics

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class IngressMetrics(ServiceMetrics):
    """Counters of an ingress."""

    def __init__(self) -> None:
        super().__init__(_SECONDS)
        self._requests = Counter(
            "waypost_ingress_requests_total",
            "Requests by result: Created, Known, NoRule, Challenge, Shown, Disconnected, Failed, "
            "or why the ingress refused it.",
            ("result",),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "waypost_ingress_request_seconds",
            "Time from the headers of a request to its answer.",
            registry=self.registry,
            buckets=_SECONDS,
        )

    def ended(self, *, result: str, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(result=result).inc()
        self._seconds.observe(seconds)
