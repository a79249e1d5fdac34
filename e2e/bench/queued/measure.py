"""10,000 runs that wait at once: `python -m e2e.bench queued [--runs N] [--qps N]`.

A real API server, scheduler and controllers, machines of KWOK, and two operators as processes. Nine
tenths of the runs are in one namespace; `concurrency` lets 20 of each namespace work, the others
wait. While they are created, while they wait, and after another operator has taken over, single
runs are created in namespaces without others. Then all runs work until they have ended. It fails
if a run is lost or works twice, an operator ends, or a figure is over its bar.
"""

import asyncio
import math
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from waypost.adapters.credentials import find_credentials
from waypost.adapters.kube import PAGE_SIZE, KubeCluster

from e2e.bench.figures import Figure, add, line
from e2e.bench.processes import Uncounted
from e2e.bench.queued.load import Load
from e2e.bench.queued.plane import Operator, Plane, plane
from e2e.bench.throughput.meters import total

RUNS: Final = 10_000
QPS: Final = 1000.0
LEADER_MB: Final = 300.0
STANDBY_MB: Final = 250.0
WAIT_SECONDS: Final = 2.0
_LOOK: Final = 5.0
_STUCK: Final = 600.0  # seconds without any progress


@dataclass
class Bench:
    """One measurement."""

    plane: Plane
    load: Load
    qps: float
    operators: list[Operator] = field(default_factory=list)
    stopped: list[Operator] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def note(self, name: str, value: float, unit: str, bar: float | None = None) -> None:
        """Keep a figure, and print it."""
        self.figures.append(Figure(f"queued_{name}", round(value, 2), unit, bar=bar))
        print(line(self.figures[-1]), flush=True)

    async def start(self, name: str) -> None:
        """Start an operator."""
        made = await asyncio.to_thread(lambda: self.plane.operator(name, qps=self.qps))
        self.operators.append(made)

    async def leader(self) -> Operator:
        """The operator that works, once there is one."""
        while True:
            for one in self.operators:
                if await asyncio.to_thread(lambda one=one: one.leads):  # type: ignore[misc]
                    return one
            await asyncio.sleep(0.1)

    async def memory(self, when: str) -> None:
        """Note the memory of both: now, and the most since their start."""
        leader = await self.leader()
        for one in self.operators:
            role = "leader" if one is leader else "standby"
            bar = LEADER_MB if one is leader else STANDBY_MB
            self.note(f"{role}_{when}", one.megabytes("VmRSS"), "MB")
            self.note(f"{role}_{when}_most", one.megabytes("VmHWM"), "MB", bar=bar)

    async def accepted(self) -> None:
        """Wait until each run has a status."""
        await self._until(lambda found: found[""], "have no status")

    async def ended(self) -> None:
        """Wait until each run has succeeded."""
        await self._until(lambda found: found.total() - found["Succeeded"], "have not ended")

    async def _until(self, left: Callable[..., int], what: str) -> None:
        known, since = -1, time.monotonic()
        while count := left(await self.load.phases()):
            if count != known:
                known, since = count, time.monotonic()
            if time.monotonic() - since > _STUCK:
                print(f"  {count} runs {what}", flush=True)
                return
            await asyncio.sleep(_LOOK)

    async def hand_over(self) -> None:
        """Stop the operator that works, and start another one."""
        leader = await self.leader()
        self.operators.remove(leader)
        self.stopped.append(leader)
        leader.process.terminate()
        await asyncio.to_thread(leader.process.wait)
        begun = time.monotonic()
        await self.leader()
        self.note("seconds_until_another_leads", time.monotonic() - begun, "s")
        await self.load.single("after another operator has taken over")
        await self.start("third")


async def measured(bench: Bench) -> None:
    """All steps, in their order."""
    load = bench.load
    await asyncio.to_thread(load.prepare)
    await bench.start("first")
    await bench.start("second")
    await load.single("nothing else")
    load.waits.clear()
    await bench.memory("idle")
    begun = time.monotonic()
    bench.note("seconds_to_create", await load.create(), "s")
    await bench.accepted()
    bench.note("seconds_until_accepted", time.monotonic() - begun, "s")
    for _ in range(3):
        await load.single("while others wait")
    await bench.memory("queued")
    await bench.hand_over()
    await bench.memory("handed_over")
    await bench.ended()
    bench.note("seconds_until_ended", time.monotonic() - begun, "s")
    await bench.memory("end")
    await _judged(bench)


async def _judged(bench: Bench) -> None:
    phases, jobs = await bench.load.phases(), await bench.load.attempts()
    expected = bench.load.count + len(bench.load.waits) + 1
    lost = expected - phases["Succeeded"]
    bench.note("lost_runs", lost, "runs", bar=0)
    bench.note("runs_that_worked_twice", sum(n > 1 for n in jobs.values()), "runs", bar=0)
    restarts = sum(one.process.poll() is not None for one in bench.operators)
    bench.note("restarts", restarts, "ends", bar=0)
    by_time: dict[str, list[float]] = {}
    for when, seconds in bench.load.waits:
        by_time.setdefault(when, []).append(seconds)
    for when, found in by_time.items():
        name = f"first_job_{when.replace(' ', '_')}"
        bench.note(name, max(found), "s", bar=WAIT_SECONDS)
    leader = await bench.leader()
    text = leader.metrics()
    asked = total(text, "waypost_api_requests_total", 'verb="list"', 'resource="agentworkflows"')
    bench.note("pages_of_runs_listed_by_leader", asked, "pages")
    bench.note("least_pages_of_a_list", math.ceil(expected / PAGE_SIZE), "pages")
    bench.note("leader_cpu", total(text, "process_cpu_seconds_total"), "s")


def main(result: Path, runs: int = RUNS, qps: float = QPS) -> int:
    """Measure; gives the exit code.

    Args:
        result: The file for the figures.
        runs: How many wait.
        qps: Writes of an operator a second.
    """

    async def play(at: Plane) -> Bench:
        credentials = find_credentials(kubeconfig=at.kubeconfig)
        cluster = KubeCluster(credentials=credentials, telemetry=Uncounted(), timeout=60)
        bench = Bench(at, Load(at.kube, cluster, runs), qps)
        try:
            await measured(bench)
        finally:
            await cluster.close()
        return bench

    with tempfile.TemporaryDirectory() as folder, plane(Path(folder)) as at:
        bench = asyncio.run(play(at))
    over = [one for one in bench.figures if one.bar is not None and one.value > one.bar]
    for one in over:
        print(f"  FAILED: {one.name} is {one.value:g}, the bar is {one.bar:g}", file=sys.stderr)
    add(bench.figures, result)
    return int(bool(over))
