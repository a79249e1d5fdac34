"""Prometheus metrics of the admission webhook, described in docs/metrics.md. Label values come from
closed lists: no names of objects or users."""

from typing import Final

from prometheus_client import Counter, Histogram

from waypost.gateway.metrics import ServiceMetrics

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3)
_API_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class AdmissionMetrics(ServiceMetrics):
    """Counters of an admission webhook."""

    def __init__(self) -> None:
        super().__init__(_API_SECONDS)
        self._reviews = Counter(
            "waypost_admission_reviews_total",
            "Requests of the API server by result: Named (a name was added), Unchanged, or why "
            "the webhook refused the request.",
            ("result",),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "waypost_admission_review_seconds",
            "Time from the headers of a request to its answer.",
            registry=self.registry,
            buckets=_SECONDS,
        )

    def answered(self, *, result: str, seconds: float) -> None:
        """A request was answered."""
        self._reviews.labels(result=result).inc()
        self._seconds.observe(seconds)
