"""What the simulated cluster will do, and when: callbacks in virtual time, in a fixed order.

With a VirtualClock the event loop runs them as its (virtual) time passes; with a ManualClock
they run in `advance` and `settle`. Equal times run in the order they were planned, which the
event loop's own timers do not promise.
"""

import asyncio
import heapq
from collections.abc import Callable

from tests.fakes.clock import ManualClock, VirtualClock

_TICK = 1e-9  # floats of virtual time are compared with this slack


class Agenda:
    """One per simulated cluster."""

    def __init__(self, clock: VirtualClock | ManualClock) -> None:
        self.clock = clock
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._timer: asyncio.TimerHandle | None = None
        self._running = False

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Plan `callback` for `seconds` from now."""
        self.at(self.clock.monotonic() + max(seconds, 0.0), callback)

    def at(self, due: float, callback: Callable[[], None]) -> None:
        """Plan `callback` for a moment of monotonic time."""
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, callback))
        self._arm()

    def settle(self) -> None:
        """Run everything that is due now, also what that plans for now."""
        if self._running:
            return
        self._running = True
        try:
            while self._heap and self._heap[0][0] <= self.clock.monotonic() + _TICK:
                heapq.heappop(self._heap)[2]()
        finally:
            self._running = False
            self._arm()

    def advance(self, seconds: float) -> None:
        """Let time pass on a ManualClock, stopping at each planned moment on the way."""
        assert isinstance(self.clock, ManualClock), "await asyncio.sleep() moves a VirtualClock"
        end = self.clock.monotonic() + seconds
        while self._heap and self._heap[0][0] <= end + _TICK:
            self.clock.advance(max(self._heap[0][0] - self.clock.monotonic(), 0.0))
            self.settle()
        self.clock.advance(max(end - self.clock.monotonic(), 0.0))
        self.settle()

    def _arm(self) -> None:
        if self._running or not isinstance(self.clock, VirtualClock):
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            loop = self.clock.loop
            pause = max(self._heap[0][0] - self.clock.monotonic(), 0.0)
            self._timer = loop.call_at(loop.time() + pause, self.settle)
