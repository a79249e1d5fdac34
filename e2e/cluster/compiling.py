"""How far a build with Go has come: packages compiled of all, and about how long it still takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

EVERY_SECONDS = 15.0  # between two lines
_FETCHED = "go: downloading "
_KNOWS_MORE = 20.0  # seconds before a guess of the time that is left means anything


class Compiling:
    """Reads the log of `go build -v`, which names each package once it is compiled. `total` 0: of
    `go list`, which fetches the modules that are missing."""

    def __init__(
        self,
        what: str,
        *,
        total: int,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._total = total
        self._say = say
        self._clock = clock
        self._began = self._said = clock()

    def look(self, log: Path) -> None:
        """Say how far it is, every 15 seconds."""
        now = self._clock()
        if now - self._said < EVERY_SECONDS:
            return
        self._said = now
        text = log.read_text(errors="replace")
        if self._total:
            progress = self._reported(min(compiled(text), self._total), now - self._began)
        else:
            progress = f"{text.count(_FETCHED)} modules fetched"
        self._say(f"{self._what}: {progress}")

    def _reported(self, done: int, seconds: float) -> str:
        if done >= self._total:
            return f"all {self._total} packages are compiled; linking"
        progress = f"{done} of {self._total} packages"
        if seconds < _KNOWS_MORE or not done:
            return progress
        return f"{progress}, {_roughly(seconds / done * (self._total - done))} left"


def compiled(log: str) -> int:
    """How many packages the log names; go's other lines begin with `go:` or `#`."""
    return sum(
        bool(line) and " " not in line and not line.startswith(("#", "go:"))
        for line in log.splitlines()
    )


def _roughly(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes else "less than a minute"
