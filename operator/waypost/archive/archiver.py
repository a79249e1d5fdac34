"""Archives finished runs: first the document is committed, then the condition Archived is written.

A run is found by lists of the metadata of all runs. One whose resourceVersion has changed since the
last look is read. If the process ends between the commit and the condition, the next one finds the
document there, and writes the condition alone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from waypost.archive.condition import mark
from waypost.archive.core.document import encode, has_ended, is_archived
from waypost.archive.core.entry import entry, milliseconds
from waypost.archive.metrics import ArchiveMetrics
from waypost.archive.ports import Keeper, StorageError
from waypost.archive.reading import child_runs, read_document
from waypost.kube.objects import section, text
from waypost.ports.cluster import Cluster, ClusterError, Conflict, Kind, NotFound, Obj
from waypost.ports.offload import Offload

AT_ONCE: Final = 4  # runs
_DEEPEST: Final = 16  # child runs of child runs

log = logging.getLogger("waypost.archive")


class Result(Enum):
    """What became of a look at a run."""

    KEPT = "Kept"  # the condition is written now
    KNOWN = "Known"  # the condition was there
    WAITS = "Waits"  # it has not ended, or a child run has not
    FAILED = "Failed"
    GONE = "Gone"


@dataclass(frozen=True)
class Limits:
    """Bounds of an archiver.

    Attributes:
        namespaces: Those that are served; empty for all.
        document: Maximum bytes of the payloads of a run.
        kept: How long a run is kept after it was archived; None: forever.
    """

    namespaces: Sequence[str]
    document: int
    kept: timedelta | None


class Archiver:
    """Archives the runs of a cluster.

    Args:
        cluster: Where they are.
        keeper: Where their documents go.
        metrics: What is counted.
        limits: Its bounds.
        offload: Where documents are encoded.
        now: The clock.
    """

    def __init__(
        self,
        *,
        cluster: Cluster,
        keeper: Keeper,
        metrics: ArchiveMetrics,
        limits: Limits,
        offload: Offload,
        now: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._keeper = keeper
        self._metrics = metrics
        self._limits = limits
        self._offload = offload
        self._now = now
        self._seen: dict[str, str] = {}  # uid -> resourceVersion of a run with nothing to do
        self._failing: set[str] = set()  # uids of runs whose failure is in the log

    async def look(self) -> None:
        """Archive what has ended since the last look.

        Raises:
            ClusterError: The runs could not be listed.
        """
        listed: list[Obj] = []
        for namespace in self._limits.namespaces or (None,):
            found = await self._cluster.list(
                Kind.AGENT_WORKFLOW, namespace=namespace, metadata_only=True
            )
            listed += [section(one, "metadata") for one in found.items]
        uids = {text(one, "uid") for one in listed}
        self._failing &= uids
        self._seen = {uid: version for uid, version in self._seen.items() if uid in uids}
        changed = [
            one
            for one in listed
            if self._seen.get(text(one, "uid")) != text(one, "resourceVersion")
        ]
        turns = asyncio.Semaphore(AT_ONCE)
        results = await asyncio.gather(*(self._in_turn(turns, one) for one in changed))
        self._metrics.looked(failed=results.count(Result.FAILED))

    async def _in_turn(self, turns: asyncio.Semaphore, metadata: Obj) -> Result:
        async with turns:
            result = await self._look_at(metadata)
        if result in (Result.KEPT, Result.FAILED):
            self._metrics.ended(result.value)
        return result

    async def _look_at(self, metadata: Obj) -> Result:
        namespace, name = text(metadata, "namespace"), text(metadata, "name")
        about = {"namespace": namespace, "run": name}
        try:
            run = await self._cluster.get(Kind.AGENT_WORKFLOW, namespace=namespace, name=name)
            result = await self.archive(run)
        except NotFound:
            return Result.GONE
        except Conflict:
            return Result.WAITS  # it has changed: the next look reads it
        except (ClusterError, StorageError, ValueError) as error:
            # Once: the next looks fail for the same reason, for as long as it lasts.
            level = logging.DEBUG if metadata["uid"] in self._failing else logging.WARNING
            log.log(level, "a run was not archived, trying again: %s", error, extra=about)
            self._failing.add(metadata["uid"])
            return Result.FAILED
        self._failing.discard(metadata["uid"])
        version = text(section(run, "metadata"), "resourceVersion")
        # The write of the condition gives another version, which the next look reads once more.
        if result is Result.KNOWN or not has_ended(run):
            self._seen[text(metadata, "uid")] = version
        return result

    async def archive(self, run: Obj, *, depth: int = 0) -> Result:
        """Archive a run after its child runs, if all have ended.

        Args:
            run: The run as just read.
            depth: How many runs are above it in this call.

        Raises:
            NotFound: The run no longer exists.
            Conflict: It has changed since it was read.
            ClusterError: A request failed.
            StorageError: The database cannot be used.
            ValueError: The status of the run cannot be read.
        """
        if is_archived(run):
            return Result.KNOWN
        if not has_ended(run) or depth > _DEEPEST:
            return Result.WAITS
        for child in await child_runs(self._cluster, run):
            if await self._child(child, depth) is Result.WAITS:
                return Result.WAITS
        value = await read_document(self._cluster, run, limit=self._limits.document)
        document = await self._offload(encode, value)
        now = self._now()
        await self._keeper.put(entry(run), document, now=milliseconds(now))
        await mark(self._cluster, run, digest=document.digest, now=now)
        return Result.KEPT

    async def _child(self, child: Obj, depth: int) -> Result:
        try:
            return await self.archive(child, depth=depth + 1)
        except NotFound:
            return Result.GONE
        except Conflict:
            return Result.WAITS

    async def forget_old(self) -> None:
        """Delete what is older than the retention. Raises StorageError."""
        if self._limits.kept is None:
            return
        moment = milliseconds(self._now() - self._limits.kept)
        while count := await self._keeper.delete_archived_before(moment):
            self._metrics.deleted(count)


async def repeat(
    work: Callable[[], Awaitable[None]], *, every: float, what: str, stop: asyncio.Event
) -> None:
    """Do `work` again and again, `every` seconds after the last time, until `stop` is set.

    A failure is logged. The next time comes as after a success.
    """
    while not stop.is_set():
        try:
            await work()
        except (ClusterError, StorageError) as error:
            log.warning("%s failed, trying again: %s", what, error)
        try:
            async with asyncio.timeout(every):
                await stop.wait()
        except TimeoutError:
            continue
