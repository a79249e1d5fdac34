"""Prometheus metrics of the gateway, described in docs/metrics.md. Label values come from closed
lists."""

from collections.abc import Callable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from waypost.adapters import metrics

_BYTES: Final = tuple(float(4**n * 1024) for n in range(1, 9))  # 4 KiB to 64 MiB
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class ServiceMetrics:
    """What every gateway measures: its process, and its requests to the API server. Each adds its
    own metrics to the registry.

    Args:
        api_seconds: Buckets of the latency of the API server, in seconds.
    """

    def __init__(self, api_seconds: tuple[float, ...]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._api_requests = Counter(
            "waypost_api_requests_total",
            "Requests to the API server.",
            ("verb", "resource", "code"),
            registry=self.registry,
        )
        self._api_seconds = Histogram(
            "waypost_api_request_seconds",
            "Latency of requests to the API server.",
            ("verb", "resource"),
            registry=self.registry,
            buckets=api_seconds,
        )
        ProcessCollector(registry=self.registry)

    def api_request(self, *, verb: str, resource: str, code: str, seconds: float) -> None:
        """`ports.telemetry.Requests`."""
        self._api_requests.labels(verb=verb, resource=resource, code=code).inc()
        self._api_seconds.labels(verb=verb, resource=resource).observe(seconds)

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics as text, and its content type; `accept` is the header of the request."""
        return metrics.exposition(self.registry, accept)


class GatewayMetrics(ServiceMetrics):
    """Counters and gauges of a gateway."""

    def __init__(self) -> None:
        super().__init__(_SECONDS)
        self._requests = Counter(
            "waypost_gateway_requests_total",
            "Requests for payloads by result, refused requests included.",
            ("method", "type", "result"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "waypost_gateway_request_seconds",
            "Time from the request's headers to the end of the response.",
            ("method", "type"),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._bytes = Histogram(
            "waypost_gateway_payload_bytes",
            "Size of stored payloads.",
            ("type",),
            registry=self.registry,
            buckets=_BYTES,
        )
        self._in_flight = Gauge(
            "waypost_gateway_bytes_in_flight",
            "Bytes of request bodies being received.",
            registry=self.registry,
        )
        self._swept = Counter(
            "waypost_gateway_swept_objects_total",
            "Objects removed because their run was deleted or their upload broke off.",
            registry=self.registry,
        )

    def served(self, *, method: str, type_: str, result: str, seconds: float) -> None:
        """A request was answered. result: Stored, Same, Read or a RefusalReason."""
        self._requests.labels(method=method, type=type_, result=result).inc()
        self._seconds.labels(method=method, type=type_).observe(seconds)

    def stored(self, *, type_: str, size: int) -> None:
        """A payload was stored for the first time."""
        self._bytes.labels(type=type_).observe(size)

    def swept(self, count: int) -> None:
        """Objects were removed."""
        self._swept.inc(count)

    def follow_in_flight(self, count: Callable[[], int]) -> None:
        """Read the bytes in flight from `count` at each scrape."""
        self._in_flight.set_function(lambda: float(count()))
