"""`python -m e2e.bench.hostile.operator NAME`: one input in an operator; prints JSON.

The operator's own controller, thread and child process run on a real event loop in real time. The
API server, Job controller and kubelet are simulated, on the event loop of another thread.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from waypost.adapters import collector
from waypost.adapters.clock import SystemClock
from waypost.adapters.evaluation import pool
from waypost.adapters.evaluation.pool import ChildProcess
from waypost.adapters.evaluation.thread import OneThread
from waypost.kube.logs.policy import OFF
from waypost.kube.manifests.pod import PodSettings
from waypost.kube.objects import items
from waypost.ports.cluster import Obj, Rejected
from waypost.probes.job import ProbeSettings
from waypost.runtime.controller import Controller
from waypost.runtime.settings import OPEN, ControllerSettings

from e2e.bench.hostile.inputs import INPUTS, Hostile, python
from e2e.bench.hostile.remote import RemoteCluster
from e2e.bench.hostile.watchdog import Watchdog, peak, reset_peak
from tests.support.line import Notebook

CostOf = Callable[[dict[str, Any], str], Awaitable[dict[str, Any]]]
PATIENCE: Final = 120.0  # seconds for one run
# A run that loads all that a run can load, so that this is not counted for the input.
HARMLESS: Final[dict[str, Any]] = {
    "inputs": {"l": [1]},
    "nodes": [
        python(
            "first",
            inputs={"v": "${inputs.l.map(a, a + 1)}"},
            inputSchema={"type": "object"},
            outputSchema={},
        ),
        python("second", inputs={"v": "${nodes.first.output}"}, inputSchema={"type": "object"}),
    ],
}
_SETTINGS: Final = ControllerSettings(
    pods=PodSettings(runner_image="runner:test", agent_image="agent:test"),
    probes=ProbeSettings(runner_image="runner:test", agent_image="agent:test"),
    logs=OFF,
    policies=None,
    workers=8,
    namespaces=(),
    resync_seconds=300.0,
    sweep_seconds=120.0,
    shutdown_seconds=5.0,
    write_qps=100.0,
    write_burst=200,
    suspend_new_runs=False,
    archives=False,
    approvals=OPEN,
    node_lost_seconds=300.0,
)


async def measure(hostile: Hostile) -> dict[str, Any]:
    """Run the harmless run, then the hostile one; what the latter cost."""
    async with operating(hostile.stored) as cost_of:
        return await cost_of(hostile.spec, "hostile")


@asynccontextmanager
async def operating(stored: dict[str, Any]) -> AsyncIterator[CostOf]:
    """An operator that has run the harmless run; gives a function that runs a spec under a name,
    and returns what that cost."""
    cluster = RemoteCluster(stored)
    passes, child = OneThread(), ChildProcess()
    pool.use(child)
    clock, stop = SystemClock(), asyncio.Event()
    controller = Controller(
        cluster=cluster.connect(),
        clock=clock,
        telemetry=Notebook(),
        settings=_SETTINGS,
        offload=passes,
    )
    try:
        await passes(child.start)
        collector.begin()
        await asyncio.to_thread(
            cluster.subscribe, controller.on_watch_event, asyncio.get_running_loop()
        )
        serving = asyncio.create_task(controller.run(stop))
        await asyncio.to_thread(cluster.submit, HARMLESS, "harmless")
        await _ended(cluster, "harmless")
        yield partial(_cost, cluster, child)
        stop.set()
        await serving
    finally:
        passes.close()
        child.close()
        pool.use(None)


async def _cost(
    cluster: RemoteCluster, child: ChildProcess, spec: dict[str, Any], name: str
) -> dict[str, Any]:
    before, started = reset_peak(), time.perf_counter()
    async with Watchdog() as watchdog:
        try:
            await asyncio.to_thread(cluster.submit, spec, name)
            status = await _ended(cluster, name)
        except Rejected as refused:
            status = {"phase": "refused by the API server", "message": refused.message}
        taken = time.perf_counter() - started
    return {
        "seconds": round(taken, 2),
        "stallMs": round(watchdog.stall * 1000),
        "heldMs": round(watchdog.held * 1000),
        "grownMiB": round((peak() - before) / 2**20),
        "children": child.started,
        "end": _end(status),
    }


async def _ended(cluster: RemoteCluster, name: str) -> Obj:
    """The status of a run that has ended, was rejected, or is waiting for something."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        await asyncio.sleep(0.05)
        status = await asyncio.to_thread(cluster.status, name)
        conditions = {one["type"]: one for one in items(status, "conditions")}
        rejected = conditions.get("Accepted", {}).get("status") == "False"
        aside = conditions.get("SetAside", {}).get("status") == "True"
        if status.get("finishedAt") or rejected or aside:
            return status
    return await asyncio.to_thread(cluster.status, name)


def _end(status: Obj) -> str:
    failed = next((node for node in items(status, "nodes") if node.get("reason")), {})
    conditions = {one["type"]: one for one in items(status, "conditions")}
    text = failed.get("message") or conditions.get("Accepted", {}).get("message", "")
    words = [str(status.get("phase", "")), str(failed.get("reason", ""))]
    return " ".join([*filter(None, words), str(status.get("message") or text)[:200]])


if __name__ == "__main__":
    wanted = next(one for one in INPUTS if one.name == sys.argv[1])
    print(json.dumps(asyncio.run(measure(wanted))))
