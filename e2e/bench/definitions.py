"""Bytes that are stored for a run of 200 nodes, with its nodes in the run, and pinned from a
template: `python -m e2e.bench.definitions`.

Each write of a run stores its whole object; the definition of a run of a template is in one
NodeRecord instead. The controller is the operator's; the API server, the pods and time are
simulated, so the sizes are those of the objects as JSON. It needs no cluster.
"""

import json
from collections import Counter
from typing import Final

from waypost.ports.cluster import Kind, Obj

from e2e.bench.figures import Figure, line
from tests.support.builders import python
from tests.support.harness import World
from tests.support.templates import create_template
from tests.support.virtual import virtual

NODES: Final = 200
WIDTH: Final = 10  # nodes that can run beside each other
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


def main() -> None:
    """Print the figures."""
    inline, pinned = stored(pinned=False), stored(pinned=True)
    for name, unit in (("bytes", "bytes"), ("largest", "bytes"), ("writes", "writes")):
        print(line(Figure(f"nodes_{NODES}_inline_{name}", inline[name], unit)))
        figure = Figure(f"nodes_{NODES}_pinned_{name}", pinned[name], unit, baseline=inline[name])
        print(line(figure))


if __name__ == "__main__":
    main()
