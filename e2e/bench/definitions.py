"""Bytes that are stored for a run of 200 nodes, with its nodes in the run, and pinned from a
template: `python -m e2e.bench.definitions`, and `python -m e2e.bench definitions` on a cluster.

Each write of a run stores its whole object; the definition of a run of a template is in one
NodeRecord instead. The first form needs no cluster: the controller is the operator's; the API
server, the pods and time are simulated. The second has a real API server and an operator; only the
machine is simulated. Both count objects as JSON, which is how etcd keeps custom resources.
"""

import json
from collections import Counter
from typing import Final

from waypost.ports.cluster import Kind, Obj

from e2e.bench.figures import Figure, line
from e2e.bench.maps import KEPT, Stored
from e2e.bench.simulated import Machine, Outcome
from e2e.suite.space import Run, Space
from tests.support.builders import python
from tests.support.harness import World
from tests.support.templates import create_template
from tests.support.virtual import virtual

NODES: Final = 200
WIDTH: Final = 10  # nodes that can run beside each other
RUNS: Final = "agentworkflows"
_SECONDS: Final = 900.0
_COUNTED: Final = (Kind.AGENT_WORKFLOW, Kind.NODE_RECORD)
# About 1 KiB of source in each node.
_LINES: Final = "".join(f"    step_{at} = n + {at}  # {'.' * 30}\n" for at in range(20))


def _definition() -> Obj:
    """Layers of nodes, each of which reads one of the layer before."""
    nodes = []
    for at in range(NODES):
        before = f"${{nodes.n{at - WIDTH}.output}}" if at >= WIDTH else at
        node = python(f"n{at}", inputs={"n": before}, outputSchema={"type": "integer"})
        node["python"] = {"source": f"def run(n):\n{_LINES}    return n\n"}
        nodes.append(node)
    return {"parallelism": 2 * WIDTH, "nodes": nodes}


def stored(*, pinned: bool) -> Counter[str]:
    """What is stored for one run: bytes, writes and the largest object of the run."""
    found: Counter[str] = Counter()

    def count(kind: Kind, change: str, body: Obj) -> None:
        if kind in _COUNTED and change != "DELETED":
            size = len(json.dumps(body, separators=(",", ":")).encode())
            found["bytes"] += size
            if kind is Kind.AGENT_WORKFLOW:
                found["writes"] += 1
                found["largest"] = max(found["largest"], size)

    @virtual
    async def play() -> None:
        script = {f"n{at}": [lambda pod: pod.succeeds(1, seconds=5)] for at in range(NODES)}
        async with World(script=script) as world:
            world.start()
            if pinned:
                await create_template(world, _definition(), "large")
            world.cluster.server.storage.listeners.insert(0, count)
            spec = {"templateRef": {"name": "large"}} if pinned else _definition()
            await world.submit(spec)
            assert (await world.finished())["phase"] == "Succeeded"

    play()
    return found


def on_cluster(space: Space) -> list[Figure]:
    """What the API server stores for one run of each form."""
    machine = Machine(space.kube, f"simulated-{space.name}", lambda _, __: Outcome(1, 1))
    kept = Stored(space)
    with machine.running():
        kept.begin()
        inline = _measured(space, kept, "inline", _definition())
        space.create("agentworkflowtemplates", _object("AgentWorkflowTemplate", _definition()))
        pinned = _measured(space, kept, "pinned", {"templateRef": {"name": "large"}})
        kept.stop.set()
    assert not machine.problems, machine.problems[:3]
    return _figures(inline, pinned)


def _object(kind: str, spec: Obj, name: str = "large") -> Obj:
    version = "waypost.dev/v1alpha1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _measured(space: Space, kept: Stored, name: str, spec: Obj) -> Counter[str]:
    """What one run adds to what is stored, and its largest object."""
    before, writes = sum(kept.bytes[each] for each in KEPT), kept.writes[RUNS]
    kept.largest_run = 0
    made = space.create(RUNS, _object("AgentWorkflow", spec, name))
    Run(space, name, made["metadata"]["uid"]).succeeded(within=_SECONDS)
    return Counter(
        bytes=sum(kept.bytes[each] for each in KEPT) - before,
        largest=kept.largest_run,
        writes=kept.writes[RUNS] - writes,
    )


def _figures(inline: Counter[str], pinned: Counter[str]) -> list[Figure]:
    figures = []
    for name, unit in (("bytes", "bytes"), ("largest", "bytes"), ("writes", "writes")):
        figures.append(Figure(f"nodes_{NODES}_inline_{name}", inline[name], unit))
        figures.append(
            Figure(f"nodes_{NODES}_pinned_{name}", pinned[name], unit, baseline=inline[name])
        )
    return figures


def main() -> None:
    """Print the figures."""
    inline, pinned = stored(pinned=False), stored(pinned=True)
    for figure in _figures(inline, pinned):
        print(line(figure))


if __name__ == "__main__":
    main()
