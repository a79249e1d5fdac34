"""Prometheus metrics of the notifier, described in docs/metrics.md. Sinks are few, and their names
are those of the chart values."""

from collections.abc import Callable
from typing import Final, Literal

from prometheus_client import Counter, Gauge

from waypost.gateway.metrics import ServiceMetrics

Result = Literal["Delivered", "Failed", "GivenUp", "Withdrawn"]
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class NotifierMetrics(ServiceMetrics):
    """Counters and gauges of a notifier."""

    def __init__(self) -> None:
        super().__init__(_SECONDS)
        self._messages = Counter(
            "waypost_notifier_messages_total",
            "Attempts and messages by result: Delivered, Failed (it is sent again), GivenUp, "
            "Withdrawn (the Approval was answered first).",
            ("sink", "result"),
            registry=self.registry,
        )
        self._pending = Gauge(
            "waypost_notifier_pending",
            "Messages that are not delivered yet.",
            ("sink",),
            registry=self.registry,
        )
        self._oldest = Gauge(
            "waypost_notifier_oldest_seconds",
            "Time since the oldest of them was due.",
            ("sink",),
            registry=self.registry,
        )

    def count(self, sink: str, result: Result, number: int = 1) -> None:
        """Attempts or messages ended."""
        self._messages.labels(sink=sink, result=result).inc(number)

    def follow(
        self, sink: str, *, pending: Callable[[], float], oldest: Callable[[], float]
    ) -> None:
        """Read the gauges of a sink at each scrape."""
        self._pending.labels(sink=sink).set_function(pending)
        self._oldest.labels(sink=sink).set_function(oldest)
