"""Throughput with the default limits of Kubernetes' controllers and with raised ones, against raw
Jobs in the same run; and graphs of 200 nodes."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.bench.figures import Figure, line, write
from e2e.bench.throughput import loads, machines
from e2e.bench.throughput.meters import Meters, Reading, figures
from e2e.cluster import api
from e2e.cluster.settings import from_environment
from e2e.cluster.shell import Progress
from e2e.suite.build import Workflow
from e2e.suite.install import install
from e2e.suite.kube import connected
from e2e.suite.operators import Operator, machine_of
from e2e.suite.space import Space, temporary

FOLDER: Final = Path("build/kwok")
TURNS: Final = 2
NODES: Final = 200  # of a graph
CPU_BAR: Final = 12.0  # milliseconds of the operator for a node of a graph
API_SERVER_BAR: Final = 1.4  # CPU of the API server for a run, of that for a raw Job
_RUNS: Final = ("agentworkflows",)
_FAST: Final = "--kube-api-qps=1000 --kube-api-burst=1000"


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast controllers may write: of Kubernetes by flags, of Waypost by values of its chart."""

    name: str
    flags: Mapping[str, str]
    values: Mapping[str, int]
    count: int  # of runs, and of raw Jobs, in a turn
    bar: float  # throughput of runs, of that of raw Jobs


LIMITS: Final = (
    Limits("default", {}, {}, count=200, bar=1.5),
    Limits(
        "raised",
        {
            "WAYPOST_KCM_FLAGS": f"{_FAST} --concurrent-job-syncs=50",
            "WAYPOST_SCHEDULER_FLAGS": _FAST,
        },
        {"api.qps": 1000, "api.burst": 1000},
        count=600,
        bar=0.6,
    ),
)


def main(result: Path) -> int:
    """Measure with each of LIMITS, and leave the cluster as it was.

    Args:
        result: The file for the figures.
    """
    found: list[Figure] = []
    try:
        for limits in LIMITS:
            print(f"bench: throughput, {limits.name} limits", flush=True)
            with _environment(limits.flags):
                measured = _with(limits)
            print("\n".join(line(figure) for figure in measured), flush=True)
            found += measured
    finally:
        cluster = api.ensure_up(quiet=True)
        with connected(cluster.kubeconfig, cluster.tools_dir) as kube:
            install(kube, cluster.chart_values)
    write(found, result)
    print(f"bench: wrote {result}")
    return 0


@contextmanager
def _environment(flags: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in flags}
    os.environ.update(flags)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _with(limits: Limits) -> list[Figure]:
    cluster, settings = api.ensure_up(), from_environment()
    with connected(cluster.kubeconfig, cluster.tools_dir) as kube:
        install(kube, {**cluster.chart_values, **limits.values})
        operator = Operator(kube, machine_of(cluster.provider, cluster.name))
        operator.ready()
        meters = Meters(kube, operator, settings.link.node if cluster.audit_log else "")
        with (
            machines.running(kube, settings, FOLDER, Progress()),
            temporary(kube, "bench") as space,
        ):
            found = _many(limits, space, meters, cluster.images["runner"])
            if limits.flags:
                for made in (loads.chain(NODES), loads.wide(NODES)):
                    found += _graph(made, space, meters)
    return found


def _many(limits: Limits, space: Space, meters: Meters, image: str) -> list[Figure]:
    """Raw Jobs and runs in turns, after a warm-up of each."""
    loads.raw_jobs(space, limits.count // 10, image)
    loads.removed(space, "jobs")
    loads.runs(space, limits.count // 10)
    loads.removed(space, *_RUNS)
    raw_seconds = our_seconds = 0.0
    raws, ours = [], []
    for _ in range(TURNS):
        before = meters.read()
        raw_seconds += loads.raw_jobs(space, limits.count, image)
        raws.append(meters.read().since(before))
        loads.removed(space, "jobs")
        before = meters.read()
        our_seconds += loads.runs(space, limits.count)
        ours.append(meters.read().since(before))
        loads.removed(space, *_RUNS)
    count = limits.count * TURNS
    raw, used = Reading.sum(raws), Reading.sum(ours)
    per_minute = Figure(
        f"{limits.name}_runs_per_minute",
        round(count * 60 / our_seconds),
        "runs",
        baseline=round(count * 60 / raw_seconds),
    )
    ratio = Figure(
        f"{limits.name}_throughput_ratio",
        round(raw_seconds / our_seconds, 3),
        "ratio",
        baseline=1.0,
        bar=limits.bar,
    )
    cpu = Figure(
        f"{limits.name}_api_server_cpu_ratio",
        round(used.api_server_cpu / raw.api_server_cpu, 2),
        "ratio",
        baseline=1.0,
        bar=API_SERVER_BAR,
    )
    return [per_minute, ratio, cpu, *figures(f"{limits.name}_run", used, count, raw=raw)]


def _graph(made: Workflow, space: Space, meters: Meters) -> list[Figure]:
    """One run of many nodes: time, and what a node costs."""
    before, name = meters.read(), made.name.replace("-", "_")
    seconds = loads.graph(space, made)
    used = meters.read().since(before)
    loads.removed(space, *_RUNS)
    operator = round(used.leader_cpu * 1000 / len(made.nodes), 1)
    return [
        Figure(f"{name}_seconds", round(seconds, 1), "s"),
        Figure(f"{name}_operator_cpu_per_node", operator, "ms", bar=CPU_BAR),
        *figures(f"{name}_node", used, len(made.nodes)),
    ]
