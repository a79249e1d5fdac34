"""The longest stall of an event loop, and the peak memory of processes."""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Self

_BEAT = 0.002  # seconds
_CLEAR_REFS = Path("/proc/self/clear_refs")


class Watchdog:
    """Measures while it is entered, in seconds.

    Attributes:
        stall: The longest time that the loop needed for one turn, without the pause between beats.
        held: The most processor time that this process used within one such turn. A turn that is
            long only because other programs have the processors has little of it.
    """

    def __init__(self) -> None:
        self.stall = 0.0
        self.held = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._watch())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._task is not None, "entered before"
        self._task.cancel()

    async def _watch(self) -> None:
        while True:
            began, used = time.perf_counter(), time.process_time()
            try:
                await asyncio.sleep(_BEAT)
            finally:  # also for the turn in which it is cancelled
                taken = time.perf_counter() - began - _BEAT
                self.stall = max(self.stall, taken)
                self.held = max(self.held, min(taken, time.process_time() - used))


def reset_peak() -> int:
    """Forget the peak memory of this process so far; returns its memory now, in bytes."""
    _CLEAR_REFS.write_text("5")
    return peak()


def peak(pid: int | str = "self") -> int:
    """The most memory (RSS) that a process had, in bytes; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = (line for line in lines if line.startswith("VmHWM:"))
    return int(next(found, "VmHWM: 0").split()[1]) * 1024


def workers(pid: int) -> list[int]:
    """The workers of an operator: its evaluating child forks them, one at a time."""
    return [worker for child in _children(pid) for worker in _children(child)]


def _children(pid: int) -> list[int]:
    """The processes that any thread of `pid` has started."""
    found: list[int] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            found += map(int, listed.read_text().split())
    return found
