"""The runs of the benchmark: most of them in one namespace behind a limit, some elsewhere, and
single ones in namespaces without any other."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Final

from waypost.adapters.kube import KubeCluster
from waypost.ports.cluster import Kind, Obj

from e2e.bench.throughput.machines import OUTPUT
from e2e.suite.build import workflow
from e2e.suite.kube import Kube

CROWD: Final = "crowd"
SHARE: Final = 0.9  # of all runs, in the crowded namespace
LIMIT: Final = 20  # runs of a namespace at the same time
_CLIENTS: Final = 16
_LOOK: Final = 0.02  # seconds between two looks for a Job
_PATIENCE: Final = 120.0  # seconds for the Job of a single run
_OTHERS: Final = tuple(f"other-{number}" for number in range(5))
_LONG: Final = {"timeout": "60m", "queueTimeout": "60m"}


@dataclass
class Load:
    """Creates the runs, and looks at them. `waits`: seconds from the creation of each single run to
    its first Job, with what went on then."""

    kube: Kube
    cluster: KubeCluster
    count: int
    waits: list[tuple[str, float]] = field(default_factory=list)

    def prepare(self) -> None:
        """Create the namespaces."""
        for name in (CROWD, *_OTHERS):
            self._namespace(name)

    def _namespace(self, name: str) -> None:
        self.kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})

    async def create(self) -> float:
        """Create the runs, and a single one at each quarter. Returns the seconds of it."""
        left, begun = self._places(), time.monotonic()
        quarters = {round(self.count * part / 4) for part in (1, 2, 3)}
        singles: list[asyncio.Task[None]] = []

        async def client() -> None:
            for at, (namespace, body) in left:
                await self.cluster.create(Kind.AGENT_WORKFLOW, namespace=namespace, body=body)
                if at in quarters:
                    singles.append(asyncio.create_task(self.single("while others are created")))

        await asyncio.gather(*(client() for _ in range(_CLIENTS)))
        seconds = time.monotonic() - begun
        await asyncio.gather(*singles)
        return seconds

    def _places(self) -> Iterator[tuple[int, tuple[str, Obj]]]:
        crowd = round(self.count * SHARE)
        for at in range(self.count):
            place = CROWD if at * crowd // self.count != (at + 1) * crowd // self.count else ""
            place = place or _OTHERS[at % len(_OTHERS)]
            yield at, (place, _run(f"run-{at}", limited=True))

    async def single(self, when: str) -> None:
        """Create a run in a namespace without others, and wait for its first Job."""
        name = f"single-{len(self.waits)}-{time.monotonic_ns()}"
        await asyncio.to_thread(self._namespace, name)
        begun = time.monotonic()
        await self.cluster.create(
            Kind.AGENT_WORKFLOW, namespace=name, body=_run("single", limited=False)
        )
        while not (await self.cluster.list(Kind.JOB, namespace=name)).items:
            if time.monotonic() - begun > _PATIENCE:
                break
            await asyncio.sleep(_LOOK)
        self.waits.append((when, time.monotonic() - begun))
        print(f"  first Job of a single run {when}: {self.waits[-1][1]:.2f} s", flush=True)

    async def phases(self) -> Counter[str]:
        """How many runs are in each phase; "" for those that no operator has accepted."""
        runs = self._all(Kind.AGENT_WORKFLOW)
        return Counter([str(run.get("status", {}).get("phase", "")) async for run in runs])

    async def attempts(self) -> Counter[str]:
        """How many Jobs each run has, by its uid."""
        jobs = self._all(Kind.JOB)
        return Counter([str(job["metadata"]["ownerReferences"][0]["uid"]) async for job in jobs])

    async def _all(self, kind: Kind) -> AsyncIterator[Obj]:
        """The objects of a list, of which one page is in memory."""
        token = ""
        while True:
            page = await self.cluster.page(kind, token=token)
            for one in page.items:
                yield one
            if not (token := page.token):
                return


def _run(name: str, *, limited: bool) -> Obj:
    made = workflow(name).having(defaults=_LONG)
    if limited:
        made = made.having(concurrency={"key": "shared", "limit": LIMIT})
    return made.python("only", f"return {OUTPUT}").manifest()
