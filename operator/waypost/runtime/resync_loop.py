"""When the caches are corrected by complete lists, and when Jobs without a run are swept."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from waypost.ports.clock import Clock
from waypost.ports.cluster import ClusterError, failure_text
from waypost.runtime.resync import Resync
from waypost.runtime.sweeps.jobs import Sweeper

_FRESH_SECONDS: Final = 1.0  # a process that has just started does not list twice

log = logging.getLogger(__name__)


class ResyncLoop:
    """Calls `Resync.sync` and `Sweeper.sweep` at their intervals, in seconds.

    `synced` is called after every list that this loop made, except the first of the process.
    """

    def __init__(
        self,
        *,
        syncer: Resync,
        sweeper: Sweeper,
        clock: Clock,
        resync_seconds: float,
        sweep_seconds: float,
        synced: Callable[[], None],
    ) -> None:
        self._syncer = syncer
        self._sweeper = sweeper
        self._clock = clock
        self._resync_seconds = resync_seconds
        self._sweep_seconds = sweep_seconds
        self._synced = synced

    async def list_all(self) -> None:
        """List every kind completely; tries again, without limit, after a failure."""
        delay = 0.5
        while True:
            try:
                await self._syncer.sync()
            except ClusterError as error:
                log.warning("cannot list yet: %s", error.message)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 15.0)
            else:
                return

    async def run(self) -> None:
        """Resync and sweep until cancelled. Only the leader does this."""
        if self._syncer.since_sync() >= _FRESH_SECONDS:
            await self.list_all()  # what the watch has missed while this process was a standby
            self._synced()
        sweep_at = self._clock.monotonic()
        while True:
            await asyncio.sleep(min(self._resync_seconds, self._sweep_seconds))
            try:
                if self._syncer.since_sync() >= self._resync_seconds:
                    await self._syncer.sync()
                    self._synced()
                if self._clock.monotonic() - sweep_at >= self._sweep_seconds:
                    await self._sweeper.sweep()
                    sweep_at = self._clock.monotonic()
            except (ClusterError, OSError) as error:
                log.warning("resync failed, trying again later: %s", failure_text(error))
            except Exception:
                log.exception("a defect of the operator; the resync is tried again later")
