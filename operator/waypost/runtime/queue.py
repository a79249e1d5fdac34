"""A keyed work queue: one worker at a time for each key, wake-ups are merged.

A pass over a key handles everything that was pending when it began. So handing a key out drops
its timer: the pass sets the next one (`add_at`), or reports that it failed (`retry`). Wake-ups
that come during the pass cause one more pass.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Hashable
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

from waypost.runtime.fair import FairLane

K = TypeVar("K", bound=Hashable)

_FIRST_BACKOFF: Final = 0.5
_LAST_BACKOFF: Final = 60.0
_SOONEST: Final = 5.0
_STALE_TIMERS: Final = 64  # replaced timers in the heap, until it is rebuilt


def _one_group(_: Hashable) -> Hashable:
    return ""


class KeyedQueue(Generic[K]):
    """Keys that are due now, keys that are due later, keys that are being worked on.

    Due keys are handed out first in, first out within a group, and groups take turns; spare ones
    when no other is due. Use it on one event loop only; `monotonic` returns that loop's time in
    seconds. `group` is the group of a key, its namespace; all keys are of one if it is not given.
    """

    def __init__(
        self, *, monotonic: Callable[[], float], group: Callable[[K], Hashable] = _one_group
    ) -> None:
        self._monotonic = monotonic
        self._group = group
        self._due: FairLane[K] = FairLane()  # with the time since when a key is due
        self._spare: FairLane[K] = FairLane()  # the same, for spare keys
        self._timer: dict[K, float] = {}  # key -> when it becomes due
        self._heap: list[
            tuple[float, int, K]
        ] = []  # also replaced timers, which differ from `_timer`
        self._sequence = 0
        self._busy: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._getters: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._moved_at = monotonic()
        self._closed = False

    @property
    def depth(self) -> int:
        """Keys that are due and wait for a worker."""
        self._promote()
        return len(self._due) + len(self._spare)

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest due key has waited for a worker; grows with load."""
        self._promote()
        return self._monotonic() - self._due_since

    @property
    def stalled_seconds(self) -> float:
        """How long keys have been due while none was handed out or finished.

        0 for a long queue that moves: that is no reason to restart the process.
        """
        self._promote()
        return max(self._monotonic() - max(self._moved_at, self._due_since), 0.0)

    def add(self, key: K, *, spare: bool = False) -> None:
        """Make a key due now, or once more after the pass that is working on it.

        Args:
            key: What is due.
            spare: Hand it out only when no other key is due.
        """
        if key in self._busy:
            self._again.add(key)
        elif key not in self._due and not (spare and key in self._spare):
            lane = self._spare if spare else self._due
            since = self._spare.remove(key, self._monotonic())
            lane.add(key, self._group(key), since)
            self._wake_one()

    def add_at(self, key: K, when: float) -> None:
        """Make a key due at `when` (monotonic) at the latest; the earliest of several counts."""
        if when < self._timer.get(key, float("inf")):
            self._set_timer(key, when)

    def retry(self, key: K, *, longest: float = _LAST_BACKOFF) -> None:
        """Make a key due again after its pass failed, with an exponential backoff.

        A timer that the pass has set counts if it is at least 5 s ahead: a deadline must not wait
        for the backoff, and a timer in the past would make a loop without pause.

        Args:
            key: What failed.
            longest: Maximum backoff in seconds.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # The exponent is bounded: after a thousand failures the power would overflow.
        pause = min(_FIRST_BACKOFF * 2 ** min(failures, 16), longest, _LAST_BACKOFF)
        now = self._monotonic()
        timer = max(self._timer.get(key, float("inf")), now + _SOONEST)
        self._set_timer(key, min(now + pause, timer))

    def forget(self, key: K) -> None:
        """Reset the backoff of a key that succeeded."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """Wait for the next due key. The caller owns it until it calls `done`.

        Never returns once the queue is closed: cancel the worker.
        """
        while True:
            self._promote()
            if (self._due or self._spare) and not self._closed:
                return self._hand_out()
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            self._set_alarm()
            try:
                await getter
            except asyncio.CancelledError:
                if getter in self._getters:
                    self._getters.remove(getter)
                else:
                    self._wake_one()  # it had been woken: wake another worker instead
                raise

    def done(self, key: K) -> None:
        """Give a key back after its pass."""
        self._busy.discard(key)
        self._moved_at = self._monotonic()
        if not self._busy:
            self._idle.set()
        elapsed = self._timer.get(key, float("inf")) <= self._moved_at
        if elapsed:
            del self._timer[key]
        if elapsed or key in self._again:
            self._again.discard(key)
            self.add(key)

    def close(self) -> None:
        """Hand out no more keys."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def drain(self) -> None:
        """Wait until no key is being worked on. Call `close` before."""
        while self._busy:
            await self._idle.wait()

    @property
    def _due_since(self) -> float:
        """Since when the oldest due key waits; now, if none is due."""
        return min((*self._due.values(), *self._spare.values()), default=self._monotonic())

    def _hand_out(self) -> K:
        key = (self._due or self._spare).take()
        self._timer.pop(key, None)
        self._busy.add(key)
        self._idle.clear()
        self._moved_at = self._monotonic()
        return key

    def _set_timer(self, key: K, when: float) -> None:
        self._timer[key] = when
        self._sequence += 1
        heapq.heappush(self._heap, (when, self._sequence, key))
        if len(self._heap) > 2 * len(self._timer) + _STALE_TIMERS:
            self._heap = [(at, n, k) for n, (k, at) in enumerate(self._timer.items())]
            heapq.heapify(self._heap)
            self._sequence = len(self._heap)
        if self._getters:
            self._set_alarm()

    def _promote(self) -> None:
        """Make keys due whose time has come. A key that is worked on waits for its `done`, because
        the pass may still replace its timer by a backoff."""
        now = self._monotonic()
        while self._heap and self._heap[0][0] <= now:
            when, _, key = heapq.heappop(self._heap)
            if self._timer.get(key) == when and key not in self._busy:
                del self._timer[key]
                self.add(key)

    def _wake_one(self) -> None:
        while self._getters and not self._closed:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _set_alarm(self) -> None:
        """Set one timer of the event loop, for the earliest of ours."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._heap and not self._closed:
            pause = max(self._heap[0][0] - self._monotonic(), 0.0)
            self._alarm = asyncio.get_running_loop().call_later(pause, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._promote()
        if self._getters:
            self._set_alarm()


def by_namespace(monotonic: Callable[[], float]) -> KeyedQueue[Any]:
    """A queue of keys with a namespace; namespaces take turns (S556)."""
    return KeyedQueue(monotonic=monotonic, group=attrgetter("namespace"))
