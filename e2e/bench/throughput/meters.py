"""What a load costs: CPU of the API server, bytes and writes to etcd, Events, CPU and memory of the
operators. All of it is read from the metrics of the parts themselves."""

import http.client
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final, Self

from e2e.bench.figures import Figure
from e2e.suite.kube import Kube
from e2e.suite.operators import Operator, metrics_path

_SAMPLE: Final = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([^ ]+)$")
_ETCD_PORT: Final = 2381
_MEMORY: Final = frozenset({"leader_memory", "standby_memory"})


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one moment."""

    api_server_cpu: float  # seconds
    etcd_bytes: float  # that etcd has received from its clients
    etcd_writes: float  # values that were put
    events: float  # that were created
    leader_cpu: float  # seconds
    standby_cpu: float  # seconds
    leader_memory: float  # bytes, resident; not a counter
    standby_memory: float  # bytes, resident; not a counter

    @classmethod
    def sum(cls, used: Sequence[Self]) -> Self:
        """What several loads have used together; memory is the highest."""
        return cls(
            **{
                field.name: (max if field.name in _MEMORY else sum)(
                    getattr(each, field.name) for each in used
                )
                for field in fields(cls)
            }
        )

    def since(self, before: Self) -> "Reading":
        """What was used between two readings; memory as it is now."""
        return Reading(
            **{
                field.name: getattr(self, field.name)
                - (0.0 if field.name in _MEMORY else getattr(before, field.name))
                for field in fields(self)
            }
        )


@dataclass(frozen=True, slots=True)
class Meters:
    """Of one cluster. `etcd` is the address of the machine with etcd; "" if it is out of reach."""

    kube: Kube
    operator: Operator
    etcd: str

    def read(self) -> Reading:
        """All counters now."""
        server = self.kube.request("GET", "/metrics")
        etcd = _over_http(self.etcd) if self.etcd else ""
        leader, standby = self.operator.ready(), self.operator.standby()
        leading = self.kube.request("GET", metrics_path(leader))
        standing_by = self.kube.request("GET", metrics_path(standby)) if standby else ""
        return Reading(
            api_server_cpu=total(server, "process_cpu_seconds_total"),
            etcd_bytes=total(etcd, "etcd_network_client_grpc_received_bytes_total"),
            etcd_writes=total(etcd, "etcd_mvcc_put_total"),
            events=total(server, "apiserver_request_total", 'resource="events"', 'verb="POST"'),
            leader_cpu=total(leading, "process_cpu_seconds_total"),
            standby_cpu=total(standing_by, "process_cpu_seconds_total"),
            leader_memory=total(leading, "process_resident_memory_bytes"),
            standby_memory=total(standing_by, "process_resident_memory_bytes"),
        )


def total(text: str, name: str, *labels: str) -> float:
    """The sum of the samples of a metric that have these labels; 0 if there is none.

    Args:
        text: Metrics in Prometheus' text format.
        name: Of the metric.
        labels: Pairs such as `verb="POST"`.
    """
    found = (_SAMPLE.match(line) for line in text.splitlines())
    return sum(
        float(sample[3])
        for sample in found
        if sample and sample[1] == name and all(label in (sample[2] or "") for label in labels)
    )


def figures(name: str, used: Reading, count: int, *, raw: Reading | None = None) -> list[Figure]:
    """What one run, or one raw Job, costs.

    Args:
        name: The beginning of the names of the figures.
        used: By `count` of them.
        count: How many there were.
        raw: What as many raw Jobs have used, as the baseline.
    """

    rows: list[tuple[str, str, Callable[[Reading], float]]] = [
        ("api_server_cpu", "ms", lambda reading: reading.api_server_cpu * 1000 / count),
        ("etcd_bytes", "bytes", lambda reading: reading.etcd_bytes / count),
        ("etcd_writes", "writes", lambda reading: reading.etcd_writes / count),
        ("events", "Events", lambda reading: reading.events / count),
    ]
    found = []
    for what, unit, value in rows:
        baseline = None if raw is None else round(value(raw), 1)
        found.append(Figure(f"{name}_{what}", round(value(used), 1), unit, baseline=baseline))
    if raw is not None:
        found += [
            Figure(f"{name}_leader_cpu", round(used.leader_cpu * 1000 / count, 1), "ms"),
            Figure(f"{name}_standby_cpu", round(used.standby_cpu * 1000 / count, 1), "ms"),
            Figure(f"{name}_leader_memory", round(used.leader_memory / 1e6), "MB"),
            Figure(f"{name}_standby_memory", round(used.standby_memory / 1e6), "MB"),
        ]
    return found


def _over_http(host: str) -> str:
    link = http.client.HTTPConnection(host, _ETCD_PORT, timeout=30)
    try:
        link.request("GET", "/metrics")
        return link.getresponse().read().decode()
    finally:
        link.close()
