"""Who waits for a slot of a key and who takes one, as far as this operator knows.

A memory: it gives the order in which runs take slots, and keeps two passes of this process from
trying the same slot. That no more than the limit are taken does not depend on it. Thousands of runs
may wait for one key, so what a pass asks for is kept in order.
"""

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Final, NamedTuple

from waypost.engine.state.slots import NO_SLOTS, SlotsDecided
from waypost.kube.facts.slots import KeySlots, Place, SlotClaim, SlotFact, SlotWait
from waypost.runtime.cache.runs import Key

# Those that wait read their slots again when they have said. A run whose passes fail keeps no
# place for longer.
_GRACE: Final = 40.0
_LONG: Final = 100  # of what waits, from which a queue is long

_BY_PLACE: Final = attrgetter("place")


class _Entry(NamedTuple):
    """What waits in a queue: `until` this moment, unless it is noted again."""

    place: Place
    run: Key
    wait: SlotWait
    until: float


@dataclass
class _Queue:
    """One key of one namespace."""

    entries: list[_Entry] = field(default_factory=list)  # by place
    claims: dict[int, tuple[Key, SlotClaim]] = field(default_factory=dict)  # by number of the slot
    shown: tuple[SlotWait, ...] | None = None  # of `entries`; None: they have changed
    shown_until: float = 0.0

    def waits(self, now: float) -> tuple[SlotWait, ...]:
        """What waits, by place, without what is overdue."""
        if self.shown is None or self.shown_until <= now:
            current = [entry for entry in self.entries if entry.until > now]
            self.shown = tuple(entry.wait for entry in current)
            self.shown_until = min((entry.until for entry in current), default=float("inf"))
        return self.shown


class SlotBoard:
    """Notes by run. Not thread-safe: use it on the event loop only."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._noted: dict[Key, SlotsDecided] = {}
        self._queues: dict[tuple[str, str], _Queue] = {}  # by namespace and digest of the key
        self._long: dict[str, dict[str, _Queue]] = {}  # by namespace and digest
        self._waiting = 0
        self._held = 0
        self.namespaces: set[str] = set()  # where slots are or were used

    def note(self, run: Key, decided: SlotsDecided) -> bool:
        """Note what a pass has decided, before it writes its status.

        Returns:
            False if another run has taken one of its slots since they were read: then nothing is
            noted, and the pass must read them again.
        """
        for claim in decided.claims:
            queue = self._queues.get((run.namespace, claim.digest))
            taken = queue.claims.get(claim.number) if queue is not None else None
            if taken is not None and taken[0] != run:
                return False
        self.forget(run)
        if decided != NO_SLOTS:
            self._noted[run] = decided
            self._add(run, decided)
            self.namespaces.add(run.namespace)
        return True

    def settled(self, run: Key) -> None:
        """The pass is over: its slots are in lists now, or are not taken."""
        noted = self._noted.get(run)
        if noted is not None and noted.claims:
            self._drop_claims(run, noted)

    def forget(self, run: Key) -> None:
        """Drop what is known of a run that no longer exists."""
        noted = self._noted.pop(run, None)
        if noted is None:
            return
        self._drop_claims(run, noted)
        self._held -= noted.held
        self._waiting -= len(noted.waits)
        for digest, place in {(wait.digest, wait.place) for wait in noted.waits}:
            queue = self._queue(run.namespace, digest)
            at = bisect_left(queue.entries, place, key=_BY_PLACE)
            while at < len(queue.entries) and queue.entries[at].place == place:
                if queue.entries[at].run == run:
                    del queue.entries[at]
                else:
                    at += 1
            queue.shown = None
            self._note_length(run.namespace, digest, queue)
            self._drop_if_empty(run.namespace, digest)

    def _note_length(self, namespace: str, digest: str, queue: _Queue) -> None:
        if len(queue.entries) >= _LONG:
            self._long.setdefault(namespace, {})[digest] = queue
        elif namespace in self._long:
            self._long[namespace].pop(digest, None)

    def long_queues(self, namespace: str) -> dict[str, tuple[SlotWait, ...]]:
        """What waits for the keys of a namespace for which many wait, by digest of the key."""
        queues, now = self._long.get(namespace), self._monotonic()
        return {digest: queue.waits(now) for digest, queue in queues.items()} if queues else {}

    def _add(self, run: Key, decided: SlotsDecided) -> None:
        now = self._monotonic()
        self._held += decided.held
        self._waiting += len(decided.waits)
        for claim in decided.claims:
            self._queue(run.namespace, claim.digest).claims[claim.number] = (run, claim)
        for wait in decided.waits:
            queue = self._queue(run.namespace, wait.digest)
            entry = _Entry(wait.place, run, wait, now + wait.rest + _GRACE)
            insort(queue.entries, entry, key=_BY_PLACE)
            queue.shown = None
            self._note_length(run.namespace, wait.digest, queue)

    def _drop_claims(self, run: Key, noted: SlotsDecided) -> None:
        for claim in noted.claims:
            queue = self._queues.get((run.namespace, claim.digest))
            if queue is not None and queue.claims.get(claim.number, (None,))[0] == run:
                del queue.claims[claim.number]
                self._drop_if_empty(run.namespace, claim.digest)

    def _queue(self, namespace: str, digest: str) -> _Queue:
        return self._queues.setdefault((namespace, digest), _Queue())

    def _drop_if_empty(self, namespace: str, digest: str) -> None:
        queue = self._queues.get((namespace, digest))
        if queue is not None and not queue.entries and not queue.claims:
            del self._queues[namespace, digest]

    def of_others(self, run: Key, digest: str, holders: tuple[SlotFact, ...]) -> KeySlots:
        """The slots of a key as a pass over `run` sees them; `holders` were read live. What waits
        may contain what waits in `run` itself, at the place of the run."""
        queue = self._queues.get((run.namespace, digest))
        if queue is None:
            return KeySlots(holders)
        claims = tuple(claim for other, claim in queue.claims.values() if other != run)
        return KeySlots(holders, claims, queue.waits(self._monotonic()))

    def first(self, namespace: str, digest: str) -> Key | None:
        """The run that is the first to wait for a key, without those that are overdue."""
        queue, now = self._queues.get((namespace, digest)), self._monotonic()
        entries = queue.entries if queue is not None else ()
        return next((entry.run for entry in entries if entry.until > now), None)

    @property
    def waiting(self) -> int:
        """Number of executions that wait for a slot."""
        return self._waiting

    @property
    def held(self) -> int:
        """Number of slots that runs hold."""
        return self._held

    @property
    def oldest_created_at(self) -> datetime | None:
        """When the oldest run that waits for a slot was created."""
        firsts = (queue.entries[0].place for queue in self._queues.values() if queue.entries)
        return min((place.created_at for place in firsts), default=None)
