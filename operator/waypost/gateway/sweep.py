"""Removes objects of deleted runs, and parts of uploads that broke off, from the object store.

Kubernetes removes the NodeRecords of deleted runs.

Only a live read tells that a run is deleted, and a uid is never reused, so replicas need not agree
on who sweeps.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from waypost.gateway.artifacts.sweep import UPLOAD, unnamed
from waypost.gateway.objects import Bucket, RunObjects
from waypost.gateway.payload_store import ObjectError
from waypost.kube import objects
from waypost.ports.cluster import Cluster, ClusterError, Kind, NotFound

# An API server that lags behind may not know a run that was just created.
YOUNG: Final = timedelta(hours=1)

log = logging.getLogger("waypost.gateway")


class Sweeper:
    """Removes objects that nobody can read any more. `swept` gets the number of removed objects;
    `upload` is the longest time of an upload."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        bucket: Bucket,
        swept: Callable[[int], None],
        upload: timedelta = UPLOAD,
    ) -> None:
        self._upload = upload
        self._cluster = cluster
        self._bucket = bucket
        self._swept = swept

    async def run(self, *, every: float) -> None:
        """Sweep every `every` seconds, until cancelled."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.sweep()
            except (ObjectError, ClusterError) as error:
                log.warning("sweeping the object store failed and will be retried: %s", error)

    async def sweep(self, *, older: timedelta = YOUNG) -> int:
        """Remove the objects of all deleted runs, if older than `older`; returns how many.

        Raises:
            ObjectError, ClusterError: a store failed.
        """
        removed = 0
        for run in await self._bucket.runs():
            if await self._gone(run):
                removed += await self._bucket.remove(run, older=older)
            else:
                removed += await self._unnamed(run)
        if removed:
            self._swept(removed)
            log.info("removed %d objects of deleted runs", removed)
        return removed

    async def _unnamed(self, run: RunObjects) -> int:
        """Remove parts of artifacts of a live run whose upload was never recorded."""
        old = await self._bucket.old_keys(run, older=self._upload)
        keys = await unnamed(self._cluster, old)
        if keys:
            await self._bucket.remove_keys(keys)
        return len(keys)

    async def _gone(self, run: RunObjects) -> bool:
        try:
            body = await self._cluster.get(
                Kind.AGENT_WORKFLOW, namespace=run.namespace, name=run.run
            )
        except NotFound:
            return True
        return objects.text(objects.section(body, "metadata"), "uid") != run.uid
