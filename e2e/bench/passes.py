"""Processor time of the operator a node, for chains and wide graphs of 1 to 200 nodes:
`python -m e2e.bench passes [SIZE ...]`.

The controller is the operator's; the API server, the pods and time are simulated in the same
thread, and their processor time is not counted. HTTP, TLS and the decoding of watch events are not
in it. Each node reads the output of others, has inputs with a schema and 0.5 KiB of source.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from waypost.ports.cluster import Obj

from e2e.bench.figures import Figure, line
from e2e.bench.metering import MeteredLoop, start_metered
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.builders import python
from tests.support.harness import World

NODES: Final = 200
SIZES: Final = (1, 10, 50, 100, NODES)
BAR: Final = 12.0  # milliseconds a node, in graphs of 200 nodes
_WARM: Final = 3  # nodes of the run before: what is imported or compiled once is not counted
_PARALLELISM: Final = 50
_LINES: Final = "".join(f"    step_{at} = n + {at}  # {'.' * 20}\n" for at in range(10))
_SCHEMA: Final = {"type": "object", "properties": {"n": {"type": "integer"}}}


@dataclass(frozen=True)
class Cost:
    """What a run cost its operator: seconds of processor time, passes and requests that write."""

    cpu: float
    passes: int
    writes: int


def chain(size: int) -> Obj:
    """Each node reads the one before."""
    inputs = [0, *(f"${{nodes.n{at}.output + 1}}" for at in range(size - 1))]
    return _spec([_node(f"n{at}", n=value) for at, value in enumerate(inputs)])


def wide(size: int) -> Obj:
    """All nodes but the last run beside each other; the last one reads ten of them."""
    nodes = [_node(f"n{at}", n=at) for at in range(size - 1)]
    read = " + ".join(["0", *(f"nodes.n{at}.output" for at in range(min(size - 1, 10)))])
    after = [f"n{at}" for at in range(size - 1)]
    last = _node(f"n{size - 1}", n=f"${{{read}}}")
    return _spec([*nodes, {**last, **({"after": after} if after else {})}])


def _node(name: str, **inputs: object) -> Obj:
    node = python(name, inputs=inputs, inputSchema=_SCHEMA, outputSchema={"type": "integer"})
    node["python"] = {"source": f"def run(n):\n{_LINES}    return n\n"}
    return node


def _spec(nodes: list[Obj]) -> Obj:
    return {"parallelism": _PARALLELISM, "nodes": nodes}


def program(pod: PodView) -> Outcome:
    """Nodes that run beside each other end apart: two to a second."""
    number = int(pod.path[1:])
    return pod.succeeds(1, seconds=5.0 + 0.5 * (number % _PARALLELISM))


async def _measure(spec: Obj) -> Cost:
    async with World() as world:
        world.work.program = program
        operator, meter = start_metered(world)
        await world.submit(chain(_WARM), name="warm")
        await world.finished("warm")
        spent, outcomes = meter.operator, Counter(operator.telemetry.outcomes)
        writes = len(operator.line.writes())
        await world.submit(spec)
        status = await world.finished()
        assert status["phase"] == "Succeeded", world.tell()
        return Cost(
            cpu=meter.operator - spent,
            passes=(operator.telemetry.outcomes - outcomes).total(),
            writes=len(operator.line.writes()) - writes,
        )


def measured(spec: Obj) -> Cost:
    """What a run of `spec` costs an operator that has done another one before."""
    with asyncio.Runner(loop_factory=MeteredLoop) as runner:
        return runner.run(_measure(spec))


def main(arguments: Sequence[str] = ()) -> int:
    """Print the figures; 1 if a graph of the largest size is over the bar."""
    sizes = [int(argument) for argument in arguments] or SIZES
    over = False
    for shape in (chain, wide):
        for size in sizes:
            cost = measured(shape(size))
            each = round(cost.cpu * 1000 / size, 2)
            bar = BAR if size == NODES else None
            over = over or (bar is not None and each > bar)
            print(line(Figure(f"{shape.__name__}_{size}", each, "ms/node", bar=bar)), flush=True)
            print(f"    {cost.passes} passes, {cost.writes} writes", flush=True)
    return int(over)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
