"""A keyed work queue: each key is worked on by one worker at a time, wake-ups are merged."""

import asyncio
import heapq
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_FIRST_BACKOFF = 0.5
_LAST_BACKOFF = 60.0


class KeyedQueue(Generic[K]):
    """Keys that are due now, keys that are due later, keys that are being worked on."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._due: dict[K, float] = {}  # key -> due since, in order
        self._later: list[tuple[float, int, K]] = []
        self._timer: dict[K, float] = {}
        self._busy: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._changed = asyncio.Event()
        self._closed = False
        self._sequence = 0

    @property
    def depth(self) -> int:
        """Keys that are due and wait for a worker."""
        return len(self._due)

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest due key has been waiting."""
        return self._monotonic() - min(self._due.values()) if self._due else 0.0

    def add(self, key: K) -> None:
        """The key is due now. While it is being worked on: once more afterwards."""
        if key in self._busy:
            self._again.add(key)
        elif key not in self._due:
            self._due[key] = self._monotonic()
            self._changed.set()

    def add_at(self, key: K, when: float) -> None:
        """The key is due at `when` (monotonic); replaces a timer of the key."""
        self._timer[key] = when
        self._sequence += 1
        heapq.heappush(self._later, (when, self._sequence, key))
        self._changed.set()

    def retry(self, key: K) -> None:
        """The key failed: due again after an exponential backoff."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_at(key, self._monotonic() + min(_FIRST_BACKOFF * 2**failures, _LAST_BACKOFF))

    def forget(self, key: K) -> None:
        """The key succeeded: its backoff starts anew."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next due key, which is then this worker's until done(key)."""
        while True:
            self._promote()
            if self._due and not self._closed:
                key = next(iter(self._due))
                del self._due[key]
                self._busy.add(key)
                return key
            self._changed.clear()
            pause = self._later[0][0] - self._monotonic() if self._later else None
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def done(self, key: K) -> None:
        """The worker has finished with the key."""
        self._busy.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        self._changed.set()

    def close(self) -> None:
        """Hand out no more keys."""
        self._closed = True

    async def drain(self) -> None:
        """Wait until no key is being worked on."""
        while self._busy:
            self._changed.clear()
            await self._changed.wait()

    def _promote(self) -> None:
        now = self._monotonic()
        while self._later and self._later[0][0] <= now:
            when, _, key = heapq.heappop(self._later)
            if self._timer.get(key) == when:
                del self._timer[key]
                self.add(key)
