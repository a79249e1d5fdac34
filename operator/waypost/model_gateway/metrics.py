"""Prometheus metrics of the model gateway, described in docs/metrics.md. Label values come from
closed lists: no names of objects, models or hosts."""

from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from waypost.adapters.metrics import exemplar
from waypost.gateway.metrics import ServiceMetrics

_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_API_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class ModelMetrics(ServiceMetrics):
    """Counters and gauges of a model gateway."""

    def __init__(self) -> None:
        super().__init__(_API_SECONDS)
        self._calls = Counter(
            "waypost_model_gateway_calls_total",
            "Model calls by type of provider, requests of http nodes (Http) and messages to tool "
            "servers (Tools), by result: Answered, ProviderError, Disconnected, "
            "or why the gateway refused it.",
            ("type", "result"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "waypost_model_gateway_call_seconds",
            "Time from the headers of a call to the end of its answer.",
            ("type",),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._in_flight = Gauge(
            "waypost_model_gateway_calls_in_flight",
            "Calls whose answer has not ended.",
            registry=self.registry,
        )
        self._waiting = Gauge(
            "waypost_model_gateway_calls_waiting",
            "Calls that wait for the limits of their provider.",
            registry=self.registry,
        )

    def began(self) -> None:
        """A call arrived."""
        self._in_flight.inc()

    def follow_waiting(self, count: Callable[[], int]) -> None:
        """Read the number of waiting calls from `count` at each scrape."""
        self._waiting.set_function(lambda: float(count()))

    def ended(self, *, type_: str, result: str, seconds: float, trace_id: str = "") -> None:
        """A call has ended. type_: that of the provider, "" if it is not known; trace_id: that of
        the trace of its run, "" if there is none."""
        self._in_flight.dec()
        self._calls.labels(type=type_ or "unknown", result=result).inc()
        shown = exemplar(trace_id)
        self._seconds.labels(type=type_ or "unknown").observe(seconds, shown)
