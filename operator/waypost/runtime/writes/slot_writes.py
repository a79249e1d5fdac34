"""Slots that a decision takes for a run, and frees."""

import logging
from collections.abc import Callable

from waypost.engine.state.decision import FreeSlot, TakeSlot
from waypost.ports.clock import Clock
from waypost.runtime.cache.runs import Key, RunCache
from waypost.runtime.slots.leases import Slots, SlotTaken
from waypost.runtime.writes import child_problems

log = logging.getLogger(__name__)


class SlotWrites:
    """For one operator process. `wake` queues a run."""

    def __init__(
        self, *, slots: Slots, store: RunCache, clock: Clock, wake: Callable[[Key], None]
    ) -> None:
        self._slots = slots
        self._store = store
        self._clock = clock
        self._wake = wake

    async def take(self, key: Key, action: TakeSlot) -> None:
        """Take the slot of a run. The next pass looks who has it, or says why nobody can. Raises
        ClusterError."""
        entry, name = self._store.entry(key.uid), action.manifest["metadata"]["name"]
        with child_problems.kept(entry, name, self._clock, what=f"Lease {name}"):
            try:
                await self._slots.take(key, action.manifest)
            except SlotTaken as error:
                log.info("the run waits: %s", error.message, extra={"run": key.name})
        self._wake(key)

    async def free(self, key: Key, action: FreeSlot) -> None:
        """Free a slot. What fails is kept for the next pass: its status has closed the attempt.
        Raises ClusterError."""
        pending = self._store.entry(key.uid).slots_to_free
        pending[action.name] = action
        await self._slots.free(key, action)
        pending.pop(action.name, None)
