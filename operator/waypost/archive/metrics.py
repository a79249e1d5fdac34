"""Prometheus metrics of the archive, described in docs/metrics.md."""

from typing import Final

from prometheus_client import Counter, Gauge

from waypost.gateway.metrics import ServiceMetrics

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class ArchiveMetrics(ServiceMetrics):
    """Counters of an archive."""

    def __init__(self) -> None:
        super().__init__(_SECONDS)
        self._runs = Counter(
            "waypost_archive_runs_total",
            "Runs by what became of archiving them: Kept or Failed.",
            ("result",),
            registry=self.registry,
        )
        self._failing = Gauge(
            "waypost_archive_failing_runs",
            "Runs that could not be archived in the last look.",
            registry=self.registry,
        )
        self._deleted = Counter(
            "waypost_archive_deleted_runs_total",
            "Runs that the retention deleted from the archive.",
            registry=self.registry,
        )
        self._requests = Counter(
            "waypost_archive_requests_total",
            "Requests of readers by status code.",
            ("code",),
            registry=self.registry,
        )

    def ended(self, result: str) -> None:
        """A run was archived, or could not be."""
        self._runs.labels(result=result).inc()

    def looked(self, *, failed: int) -> None:
        """A look at all runs has ended."""
        self._failing.set(failed)

    def deleted(self, count: int) -> None:
        """The retention deleted runs."""
        self._deleted.inc(count)

    def answered(self, code: int) -> None:
        """A request was answered."""
        self._requests.labels(code=str(code)).inc()
