"""Clocks whose time the test owns."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import looptime

T = TypeVar("T")

EPOCH = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class VirtualClock:
    """`ports.clock.Clock` that reads the event loop's time: under looptime it is virtual, and a
    test moves it by awaiting. `jump` moves wall time alone, as an NTP step does.

    Make it in the test and not in a fixture: looptime takes over only when the test begins.
    """

    def __init__(
        self, *, start: datetime = EPOCH, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self.loop = loop or asyncio.get_running_loop()
        self._zero = self.loop.time()
        self._start = start

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return self.loop.time() - self._zero

    def jump(self, seconds: float) -> None:
        """Step the wall clock; monotonic time stays."""
        self._start += timedelta(seconds=seconds)


class ManualClock:
    """`ports.clock.Clock` that stands still until `advance`; needs no event loop."""

    def __init__(self, *, start: datetime = EPOCH) -> None:
        self._start = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let time pass. What is due then is run by the agenda, not by the clock."""
        assert seconds >= 0, "time does not go back"
        self._elapsed += seconds

    def jump(self, seconds: float) -> None:
        """Step the wall clock; monotonic time stays."""
        self._start += timedelta(seconds=seconds)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run on a separate event loop in virtual time; for Hypothesis, whose examples must not
    share a loop. (Other tests: `@pytest.mark.looptime`.)"""
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        return runner.run(main)
