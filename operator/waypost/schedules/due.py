"""Which times of a schedule have come, and the delay of `spread`."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from waypost.api.base import parse_duration
from waypost.api.schedule.model import AgentWorkflowScheduleSpec
from waypost.protocol import ijson
from waypost.schedules.cron import InvalidTiming, Timing, timing

LONGEST_SPREAD: Final = 24 * 3600.0
_COUNTED: Final = 1000  # times before the window that are counted as missed


@dataclass(frozen=True)
class Due:
    """The times that have come and are not done.

    Attributes:
        latest: The latest time that may still start a run; None if all are too late.
        others: Number of the others.
        first: The first of them all.
        last: Times up to this one are done once these are.
        before: Times up to this one are done once the others are.
    """

    latest: datetime | None
    others: int
    first: datetime
    last: datetime
    before: datetime


@dataclass(frozen=True)
class Clockwork:
    """The times of a schedule with their delay.

    Attributes:
        timing: The cron lines.
        delay: How much later each run starts.
        window: How late a run may start.
    """

    timing: Timing
    delay: timedelta
    window: timedelta

    def due(self, done: datetime, now: datetime) -> Due | None:
        """The times after `done` that have come; None if there are none."""
        latest_time = now - self.delay
        opens = latest_time - self.window
        early = self._until(done, min(opens - timedelta(microseconds=1), latest_time), _COUNTED)
        late = self._until(max(done, opens - timedelta(microseconds=1)), latest_time, None)
        if not early and not late:
            return None
        latest = late[-1] if late else None
        others = len(early) + len(late) - (1 if late else 0)
        last = latest or (early[-1] if len(early) < _COUNTED else opens)
        passed = (late[-2:-1] or [opens - timedelta(milliseconds=1)])[-1] if late else last
        return Due(latest, others, (early or late)[0], last, passed)

    def following(self, done: datetime) -> datetime | None:
        """The next time after `done`; None if there is none in 50 years."""
        return next(self.timing.after(done), None)

    def _until(self, after: datetime, last: datetime, most: int | None) -> list[datetime]:
        found: list[datetime] = []
        if after >= last:
            return found
        for fire in islice(self.timing.after(after), most):
            if fire > last:
                break
            found.append(fire)
        return found


def clockwork(spec: AgentWorkflowScheduleSpec, *, namespace: str, name: str) -> Clockwork:
    """The times of a schedule.

    Raises:
        InvalidTiming: The spec cannot be used; the text says why.
    """
    spread = parse_duration(spec.spread) if spec.spread else 0.0
    if spread > LONGEST_SPREAD:
        raise InvalidTiming(f"spread: {spec.spread} is too long; write at most 24h")
    digest = hashlib.sha256(f"{namespace}/{name}".encode()).digest()
    delay = int.from_bytes(digest[:6]) % max(int(spread), 1)
    return Clockwork(
        timing=timing(spec.schedules, spec.time_zone),
        delay=timedelta(seconds=delay),
        window=timedelta(seconds=spec.starting_deadline_seconds),
    )


def timing_digest(spec: AgentWorkflowScheduleSpec) -> str:
    """Digest of what an edit of starts from now."""
    return ijson.digest(
        [list(spec.schedules), spec.time_zone, spec.spread or "", bool(spec.suspend)]
    )[:40]
