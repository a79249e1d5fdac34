"""The watch: which events a subscriber receives, and when.

A real watch is late, repeats events, skips states that lasted only briefly, and after a reconnect
reports no deletions that happened meanwhile. All of that is drawn from one seed.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from waypost.ports.cluster import Kind, Obj

from tests.fakes.agenda import Agenda
from tests.fakes.api.storage import Storage
from tests.fakes.api.wire import copied

SinkCall = Callable[[Kind, str | None, Obj], None]


@dataclass(frozen=True)
class Delivery:
    """How events travel. Probabilities are per event.

    Events of one object keep their order unless `stale`; those of different objects overtake
    each other as soon as there is a delay.
    """

    delay: tuple[float, float] = (0.0, 0.0)  # seconds, uniform; (0, 0): inside the write itself
    duplicate: float = 0.0  # reported twice
    merge: float = 0.0  # a state that was not delivered yet is skipped for its successor
    drop_deleted: float = 0.0  # the deletion is never reported; only `relist` could show it
    stale: bool = False  # old states after new ones


IMMEDIATE: Final = Delivery()
DELAYED: Final = Delivery(delay=(0.05, 2.0))
ROUGH: Final = Delivery(delay=(0.0, 3.0), duplicate=0.3, merge=0.5, drop_deleted=0.3)
STALE: Final = Delivery(delay=(0.0, 5.0), duplicate=0.3, stale=True)


@dataclass(eq=False)  # two of them may tell the same, and are two
class _Event:
    kind: Kind
    change: str | None
    body: Obj
    cancelled: bool = False


class Subscription:
    """One subscriber. `pause` holds events back, `resume` lets them go, `relist` is a reconnect."""

    def __init__(
        self,
        *,
        kinds: tuple[Kind, ...],
        sink: SinkCall,
        delivery: Delivery,
        storage: Storage,
        agenda: Agenda,
        rng: random.Random,
    ) -> None:
        self._kinds = kinds
        self._sink = sink
        self._delivery = delivery
        self._storage = storage
        self._agenda = agenda
        self._random = rng
        self._due: dict[str, float] = {}  # uid -> when its last event is due
        self._pending: dict[str, list[_Event]] = {}
        self._held: list[_Event] | None = None
        self.closed = False
        storage.listeners.append(self._changed)

    def close(self) -> None:
        """Deliver nothing any more, not even what is on its way."""
        self.closed = True
        if self._changed in self._storage.listeners:
            self._storage.listeners.remove(self._changed)

    def pause(self) -> None:
        """Hold back everything from now on: a watch that hangs."""
        self._held = self._held if self._held is not None else []

    def resume(self) -> None:
        """Deliver what was held back, in order."""
        held, self._held = self._held or [], None
        for event in held:
            self._deliver(event)

    def relist(self) -> None:
        """A reconnect: events in flight are lost, every object that exists now is delivered with
        change None, and deletions are not reported."""
        for events in self._pending.values():
            for event in events:
                event.cancelled = True
        self._pending.clear()
        self._held = None
        for kind in self._kinds:
            for body in list(self._storage.scan(kind)):
                self._send(kind, None, body)

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if kind not in self._kinds or self.closed:
            return
        if change == "DELETED" and self._random.random() < self._delivery.drop_deleted:
            return
        self._send(kind, change, body)
        if self._random.random() < self._delivery.duplicate:
            self._send(kind, change, body)

    def _send(self, kind: Kind, change: str | None, body: Obj) -> None:
        event = _Event(kind, change, body)
        low, high = self._delivery.delay
        if high <= 0:
            self._deliver(event)
            return
        uid = body["metadata"]["uid"]
        pending = self._pending.setdefault(uid, [])
        if change == "MODIFIED" and pending and self._random.random() < self._delivery.merge:
            last = pending[-1]
            if last.change != "DELETED":
                last.body = body  # an ADDED stays one, with the newer state
                return
        now = self._agenda.clock.monotonic()
        due = now + self._random.uniform(low, high)
        if not self._delivery.stale:
            due = max(due, self._due.get(uid, 0.0))
        self._due[uid] = due
        pending.append(event)
        # The moment itself and not a pause: a rounding error would turn two events around.
        self._agenda.at(due, lambda: self._arrive(uid, event))

    def _arrive(self, uid: str, event: _Event) -> None:
        if event.cancelled:
            return
        self._pending[uid].remove(event)
        if not self._pending[uid]:
            del self._pending[uid]
        self._deliver(event)

    def _deliver(self, event: _Event) -> None:
        if self.closed:
            return
        if self._held is not None:
            self._held.append(event)
            return
        # A copy each: `raw` is lent, and a watcher that keeps or changes it must not hurt others.
        self._sink(event.kind, event.change, copied(event.body))
