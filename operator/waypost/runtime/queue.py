"""A keyed work queue: each key is worked on by one worker at a time, wake-ups are merged.

A pass over a key answers for everything that was pending when it began. So handing a key out
drops its timer: the pass tells anew when it wants to be called again (`add_at`), or that it
failed (`retry`). Wake-ups that come while the pass runs are kept for one more pass.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_FIRST_BACKOFF: Final = 0.5
_LAST_BACKOFF: Final = 60.0
_STALE_TIMERS: Final = 64  # replaced timers that may lie around before the heap is built anew


class KeyedQueue(Generic[K]):
    """Keys that are due now, keys that are due later, keys that are being worked on.

    Due keys are handed out first come, first served, spare ones when no other is due. Not
    thread-safe: it lives on one event loop, whose time `monotonic` must follow.
    """

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._due: dict[K, float] = {}  # key -> due since, in order
        self._spare: dict[K, float] = {}  # the same of keys that can wait
        self._timer: dict[K, float] = {}  # key -> when it becomes due
        self._heap: list[tuple[float, int, K]] = []  # also replaced timers, told by `_timer`
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
        """How long the oldest due key has been waiting for a worker; grows with honest load."""
        self._promote()
        return self._monotonic() - self._due_since

    @property
    def stalled_seconds(self) -> float:
        """How long keys have been due without any being handed out or finished: 0 however long
        the queue is, as long as it moves. What a liveness probe should ask."""
        self._promote()
        return max(self._monotonic() - max(self._moved_at, self._due_since), 0.0)

    def add(self, key: K, *, spare: bool = False) -> None:
        """The key is due now; `spare`: when no other is. While it is being worked on: once more
        afterwards."""
        if key in self._busy:
            self._again.add(key)
        elif key not in self._due and not (spare and key in self._spare):
            lane = self._spare if spare else self._due
            lane[key] = self._spare.pop(key, self._monotonic())
            self._wake_one()

    def add_at(self, key: K, when: float) -> None:
        """The key is due at `when` (monotonic) at the latest: of several, the earliest counts."""
        if when < self._timer.get(key, float("inf")):
            self._set_timer(key, when)

    def retry(self, key: K, *, longest: float = _LAST_BACKOFF) -> None:
        """The pass failed: due again after an exponential backoff, whatever timer it had set,
        for that may have passed and would make this a loop without a pause."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # The exponent is bounded, or the power overflows on the thousandth failure.
        pause = min(_FIRST_BACKOFF * 2 ** min(failures, 16), longest, _LAST_BACKOFF)
        self._set_timer(key, self._monotonic() + pause)

    def forget(self, key: K) -> None:
        """The key succeeded: its backoff starts anew."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next due key, which is then this worker's until done(key). Once the queue is
        closed it waits for good, to be cancelled."""
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
                    self._wake_one()  # it was this one's turn: pass it on
                raise

    def done(self, key: K) -> None:
        """The worker has finished with the key."""
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
        """Wait until no key is being worked on. Close first, or more may be handed out."""
        while self._busy:
            await self._idle.wait()

    @property
    def _due_since(self) -> float:
        """Since when the oldest key waits for a worker; now, if none does."""
        return min((*self._due.values(), *self._spare.values()), default=self._monotonic())

    def _hand_out(self) -> K:
        lane = self._due or self._spare
        key = next(iter(lane))
        del lane[key]
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
        """Make due what has come of time. A key in work waits for its `done`, because the pass
        may yet replace its timer by a backoff."""
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
        """One timer of the event loop for the earliest of ours, whatever the number of workers."""
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
