"""What tracing costs the operator: the same nodes with and without spans, in turns, so that what
else the machine does meets both.

The machine of the pods is simulated; the operator, its exporter and the collector are real. Each
turn has a fresh leader that has done the same before.
"""

import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from waypost.adapters.tracing import otlp_tracer
from waypost.telemetry.agent_spans import agent_spans

from e2e.bench.figures import Figure
from e2e.bench.simulated import Machine, Outcome
from e2e.cluster import api, collecting
from e2e.cluster.collecting import Collector
from e2e.cluster.settings import from_environment
from e2e.suite.build import Workflow, workflow
from e2e.suite.install import install
from e2e.suite.kube import Obj
from e2e.suite.operators import Operator
from e2e.suite.space import Space
from e2e.suite.waiting import until
from tests.unit.telemetry.test_agent_spans import ATTEMPT, FULL, OBSERVED

PAIRS = 4
NODES = 150
WARM = 30
PARALLEL = 20
BAR = 5.0  # percent
SECONDS = 240.0
BATCHES = 20
BATCH = 400  # spans; beyond 2,048 that wait the exporter drops the oldest


@dataclass(frozen=True)
class Bench:
    """Where it is measured."""

    space: Space
    operator: Operator
    values: Mapping[str, str]
    collector: Collector

    def turn(self, name: str, *, traced: bool) -> float:
        """Milliseconds of the processor that the operator takes for a node."""
        endpoint = {"otlp.endpoint": self.collector.endpoint} if traced else {}
        install(self.space.kube, {**self.values, **endpoint, "replicas": "1"})
        self.operator.ready()
        self._run(f"{name}-warm", WARM)
        leader = self.operator.ready()
        before = self._cpu()
        self._run(name, NODES)
        assert self.operator.ready()["metadata"]["uid"] == leader["metadata"]["uid"]
        return (self._cpu() - before) * 1000 / NODES

    def _cpu(self) -> float:
        return self.operator.metrics()["process_cpu_seconds_total"]

    def _run(self, name: str, nodes: int) -> None:
        run = self.space.start(wide(name, nodes))
        run.succeeded(within=SECONDS)


def program(inputs: Obj, attempt: int) -> Outcome:
    """Every node succeeds at once."""
    return Outcome(0.5, 1)


def wide(name: str, nodes: int) -> Workflow:
    """Nodes beside each other, each with a status and a span."""
    made = workflow(name).having(
        parallelism=PARALLEL, defaults={"timeout": "5m", "queueTimeout": "10m"}
    )
    for number in range(nodes):
        made.python(f"n{number}", "return 1")
    return made


def cost(space: Space, operator: Operator, cluster: api.Cluster) -> list[Figure]:
    """Turns with and without tracing, one after the other; and the time of one span alone."""
    settings = from_environment(provider=cluster.provider)
    host = settings.link.host if cluster.provider == "embedded" else "127.0.0.1"
    machine = Machine(space.kube, f"simulated-{space.name}", program)
    with (
        tempfile.TemporaryDirectory() as folder,
        collecting.collecting(settings, Path(folder), host=host) as collector,
    ):
        span = microseconds(collector)
        bench = Bench(space, operator, cluster.chart_values, collector)
        with machine.running():
            pairs = [pair(bench, number) for number in range(PAIRS)]
        install(space.kube, cluster.chart_values)
        received = sum(one["name"].startswith("node n") for one in collector.spans())
    assert machine.problems == [], machine.problems
    assert received >= PAIRS * NODES, "the spans were sent"
    return figures(pairs, span=span)


def pair(bench: Bench, number: int) -> tuple[float, float]:
    """Milliseconds a node without and with tracing; each comes first in every other pair."""
    found = {}
    for traced in (False, True) if number % 2 == 0 else (True, False):
        name = f"{'with' if traced else 'without'}-{number}"
        found[traced] = bench.turn(name, traced=traced)
        print(f"  {name}: {found[traced]:.2f} ms a node", flush=True)
    return found[False], found[True]


def figures(pairs: list[tuple[float, float]], *, span: float) -> list[Figure]:
    """The middle of all pairs, and how far the pairs are apart."""
    plain = statistics.median(without for without, _ in pairs)
    traced = statistics.median(with_ for _, with_ in pairs)
    shares = sorted((with_ / without - 1) * 100 for without, with_ in pairs)
    return [
        Figure("operator_cpu_per_node", round(traced, 2), "ms", baseline=round(plain, 2)),
        Figure("tracing_share", round(statistics.median(shares), 1), "%", bar=BAR),
        Figure("tracing_share_lowest", round(shares[0], 1), "%"),
        Figure("tracing_share_highest", round(shares[-1], 1), "%"),
        Figure("tracing_cpu_per_span", round(span, 1), "us"),
        Figure("tracing_share_by_span", round(span / 10 / plain, 2), "%", bar=BAR),
    ]


def microseconds(collector: Collector) -> float:
    """Processor time that it takes to make, encode and send one span of an agent, in this process:
    less noisy than the difference of two long runs."""
    before, made = time.process_time(), 0
    for _ in range(BATCHES):
        tracer = otlp_tracer(endpoint=collector.endpoint)
        begun = made
        while made < begun + BATCH:
            found = agent_spans(OBSERVED, ATTEMPT, FULL)
            for one in found:
                tracer.emit(one)
            made += len(found)
        tracer.close()  # sends them
    spent = time.process_time() - before
    until(lambda: len(collector.spans()) >= made, within=60, what="all spans have arrived")
    return spent * 1e6 / made
