"""Who waits for a slot of a key and who takes one, as far as this operator knows.

A memory: it gives the order in which runs take slots, and keeps two passes of this process from
trying the same slot. That no more than the limit are taken does not depend on it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from waypost.engine.state.slots import NO_SLOTS, SlotsDecided
from waypost.kube.facts.slots import KeySlots, SlotClaim, SlotFact, SlotWait
from waypost.runtime.cache.runs import Key

# Those that wait read their slots again within 60 seconds. A run whose passes fail keeps no place.
_FORGOTTEN: Final = 100.0


@dataclass
class _Noted:
    decided: SlotsDecided
    at: float


class SlotBoard:
    """Notes by run. Not thread-safe: use it on the event loop only."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._noted: dict[Key, _Noted] = {}
        self.namespaces: set[str] = set()  # where slots are or were used

    def note(self, run: Key, decided: SlotsDecided) -> bool:
        """Note what a pass has decided, before it writes its status.

        Returns:
            False if another run has taken one of its slots since they were read: then nothing is
            noted, and the pass must read them again.
        """
        claimed = {(c.digest, c.number) for c in decided.claims}
        for other, noted in self._noted.items():
            taken = {(c.digest, c.number) for c in noted.decided.claims}
            if other.namespace == run.namespace and other != run and claimed & taken:
                return False
        if decided == NO_SLOTS:
            self._noted.pop(run, None)
        else:
            self._noted[run] = _Noted(decided, self._monotonic())
            self.namespaces.add(run.namespace)
        return True

    def settled(self, run: Key) -> None:
        """The pass is over: its slots are in lists now, or are not taken."""
        noted = self._noted.get(run)
        if noted is not None and noted.decided.claims:
            noted.decided = replace(noted.decided, claims=())

    def forget(self, run: Key) -> None:
        """Drop what is known of a run that no longer exists."""
        self._noted.pop(run, None)

    def of_others(self, run: Key, digest: str, holders: tuple[SlotFact, ...]) -> KeySlots:
        """The slots of a key as a pass over `run` sees them; `holders` were read live."""
        claims: list[SlotClaim] = []
        waiting: list[SlotWait] = []
        for other, noted in self._noted.items():
            if other == run or other.namespace != run.namespace:
                continue
            claims += [c for c in noted.decided.claims if c.digest == digest]
            if self._monotonic() - noted.at < _FORGOTTEN:
                waiting += [w for w in noted.decided.waits if w.digest == digest]
        return KeySlots(holders, tuple(claims), tuple(waiting))

    def first(self, namespace: str, digest: str) -> Key | None:
        """The run that is the first to wait for a key."""
        found = [
            (wait.place, run)
            for run, noted in self._noted.items()
            if run.namespace == namespace
            for wait in noted.decided.waits
            if wait.digest == digest
        ]
        return min(found)[1] if found else None

    @property
    def waiting(self) -> int:
        """Number of executions that wait for a slot."""
        return sum(len(noted.decided.waits) for noted in self._noted.values())

    @property
    def held(self) -> int:
        """Number of slots that runs hold."""
        return sum(noted.decided.held for noted in self._noted.values())
