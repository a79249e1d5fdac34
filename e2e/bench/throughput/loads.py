"""Loads: raw Jobs, runs of one node, and graphs of many nodes; each until all of it has ended."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from e2e.bench.chains import is_true, raw_job
from e2e.bench.simulated import changes
from e2e.bench.throughput.machines import OUTPUT
from e2e.suite.build import Workflow, workflow
from e2e.suite.kube import Obj, path_of
from e2e.suite.space import Space
from e2e.suite.waiting import until

CLIENTS: Final = 8  # that create objects at the same time
_PATIENCE: Final = 1800.0  # seconds
_SOURCE: Final = f"return {OUTPUT}"
_LONG: Final = {"timeout": "30m", "queueTimeout": "30m"}


def raw_jobs(space: Space, count: int, image: str) -> float:
    """Seconds from the first of `count` Jobs until all are Complete."""
    bodies = (raw_job(f"raw-{index}", image) for index in range(count))
    return _ended(space, "jobs", count, bodies, lambda job: is_true(job, "Complete"))


def runs(space: Space, count: int) -> float:
    """Seconds from the first of `count` runs with one node until all have succeeded."""
    made = (workflow(f"run-{index}").having(defaults=_LONG) for index in range(count))
    bodies = (each.python("only", _SOURCE).manifest() for each in made)
    return _ended(space, "agentworkflows", count, bodies, lambda run: is_true(run, "Succeeded"))


def graph(space: Space, made: Workflow) -> float:
    """Seconds until one run has succeeded."""
    began = time.monotonic()
    space.start(made).succeeded(within=_PATIENCE)
    return time.monotonic() - began


def chain(length: int) -> Workflow:
    """Nodes of which each reads the output of the one before."""
    made = workflow(f"chain-{length}").having(defaults=_LONG)
    for index in range(length):
        before = f"${{nodes.n{index - 1}.output}}" if index else 0
        made.python(f"n{index}", _SOURCE, takes="n", inputs={"n": before})
    return made


def wide(width: int) -> Workflow:
    """Nodes without edges, 50 at the same time."""
    made = workflow(f"wide-{width}").having(defaults=_LONG, parallelism=50)
    for index in range(width):
        made.python(f"n{index}", _SOURCE)
    return made


def removed(space: Space, *kinds: str) -> None:
    """Delete all objects of these kinds, and wait until nothing of them is left."""
    for kind in kinds:
        space.kube.request("DELETE", path_of(kind, space.name), {"propagationPolicy": "Background"})
    until(space.empty, within=_PATIENCE, what="all is gone", poll=1.0)


def _ended(
    space: Space, kind: str, count: int, bodies: Iterator[Obj], ended: Callable[[Obj], bool]
) -> float:
    """Seconds from the first object until a watch has shown the end of all of them."""
    names: set[str] = set()
    stop, done = threading.Event(), threading.Event()

    def watch() -> None:
        for event, _ in changes(space.kube, path_of(kind, space.name), stop):
            if ended(event["object"]):
                names.add(event["object"]["metadata"]["name"])
            if len(names) == count:
                done.set()

    threading.Thread(target=watch, daemon=True).start()
    try:
        began = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as clients:
            for _ in clients.map(lambda body: space.create(kind, body), bodies):
                pass
        if not done.wait(_PATIENCE):
            raise AssertionError(f"{len(names)} of {count} {kind} ended in {_PATIENCE:.0f} s")
        return time.monotonic() - began
    finally:
        stop.set()
