"""What a run asks of the API server: `python -m e2e.bench requests`.

Writes of the operator by verb and kind, with the bytes of the request and of what is then stored,
for one node, a chain of ten and 200 nodes beside each other. The controller is the operator's; the
API server, the pods and time are simulated, so the sizes are those of the objects as JSON.
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from waypost.ports.cluster import Kind, Obj

from e2e.bench.passes import NODES, chain, wide
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.harness import World
from tests.support.line import Line
from tests.support.virtual import virtual

RUNS: Final[Mapping[str, Obj]] = {
    "one node": chain(1),
    "a chain of 10": chain(10),
    f"{NODES} beside each other": wide(NODES),
}


@dataclass
class Requests:
    """Requests by verb and kind: how many, bytes that were sent, and bytes that were stored."""

    count: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)

    def watch(self, line: Line) -> None:
        """Count what one operator sends from now on."""
        whole: Any = line._cluster
        line._cluster = _Counting(whole, self)

    def note(self, verb: str, kind: Kind, sent: object, stored: object) -> None:
        """Count one request that was answered."""
        name = f"{verb} {kind.kind}"
        self.count[name] += 1
        self.sent[name] += _bytes(sent)
        self.stored[name] += _bytes(stored)


class _Counting:
    """A cluster that counts the requests that succeed."""

    def __init__(self, cluster: Any, requests: Requests) -> None:
        self._cluster = cluster
        self._requests = requests

    async def create(self, kind: Kind, **how: Any) -> Obj:
        made: Obj = await self._cluster.create(kind, **how)
        self._requests.note("create", kind, how["body"], made)
        return made

    async def patch(self, kind: Kind, **how: Any) -> Obj:
        made: Obj = await self._cluster.patch(kind, **how)
        verb = "patch status of" if how.get("subresource") else "patch"
        self._requests.note(verb, kind, how["body"], made)
        return made

    async def get(self, kind: Kind, **how: Any) -> Obj:
        found: Obj = await self._cluster.get(kind, **how)
        self._requests.note("get", kind, None, None)
        return found

    async def delete(self, kind: Kind, **how: Any) -> None:
        await self._cluster.delete(kind, **how)
        self._requests.note("delete", kind, None, None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)  # list and read_log


def _bytes(value: object) -> int:
    return 0 if value is None else len(json.dumps(value, separators=(",", ":")).encode())


def _program(pod: PodView) -> Outcome:
    return pod.succeeds(1, seconds=5.0 + 0.5 * (int(pod.path[1:]) % 50))


def requests_of(spec: Obj) -> Requests:
    """What one run asks, after another run of the same operator."""
    found = Requests()

    @virtual
    async def play() -> None:
        async with World() as world:
            world.work.program = _program
            operator = world.start()
            await world.submit(chain(1), name="before")
            await world.finished("before")
            await world.quiet(30)
            found.watch(operator.line)
            await world.submit(spec)
            assert (await world.finished())["phase"] == "Succeeded", world.tell()
            await world.quiet(30)

    play()
    return found


def main() -> int:
    """Print a table for each run."""
    for name, spec in RUNS.items():
        found, nodes = requests_of(spec), len(spec["nodes"])
        print(f"{name}:")
        for what, count in sorted(found.count.items()):
            each = f"{count / nodes:.2f} a node"
            sent, stored = found.sent[what], found.stored[what]
            print(f"  {what:<32} {count:>5} ({each}), sent {sent} bytes, stored {stored}")
        writes = sum(n for what, n in found.count.items() if not what.startswith("get"))
        total = f"{writes} writes ({writes / nodes:.2f} a node)"
        print(f"  {total}, stored {sum(found.stored.values())} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
