"""Objects of runs that are gone are removed; NodeRecords go with their run by themselves.

That a run is gone is concluded from a live read alone, and its uid never comes back, so replicas
need not agree on who sweeps.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from waypost.engine import facts
from waypost.gateway.objects import Bucket, RunObjects
from waypost.gateway.payload_store import ObjectError
from waypost.ports.cluster import Cluster, ClusterError, Kind, NotFound

# A run that is created now may be younger than what an API server behind the others knows.
YOUNG: Final = timedelta(hours=1)

log = logging.getLogger("waypost.gateway")


class Sweeper:
    """Removes what nobody can ask for any more. `swept` is told how many objects went."""

    def __init__(self, *, cluster: Cluster, bucket: Bucket, swept: Callable[[int], None]) -> None:
        self._cluster = cluster
        self._bucket = bucket
        self._swept = swept

    async def run(self, *, every: float) -> None:
        """Sweep for ever, every so many seconds."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.sweep()
            except (ObjectError, ClusterError) as error:
                log.warning("the sweep of the object store is tried again later: %s", error)

    async def sweep(self, *, older: timedelta = YOUNG) -> int:
        """Remove the objects of all runs that are gone; how many. Raises ObjectError,
        ClusterError."""
        removed = 0
        for run in await self._bucket.runs():
            if await self._gone(run):
                removed += await self._bucket.remove(run, older=older)
        if removed:
            self._swept(removed)
            log.info("%d objects of runs that are gone were removed", removed)
        return removed

    async def _gone(self, run: RunObjects) -> bool:
        try:
            body = await self._cluster.get(
                Kind.AGENT_WORKFLOW, namespace=run.namespace, name=run.run
            )
        except NotFound:
            return True
        return facts.text(facts.section(body, "metadata"), "uid") != run.uid
