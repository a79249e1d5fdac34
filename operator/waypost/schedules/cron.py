"""Cron lines, and the times at which they fire in a time zone.

cronsim reads a line and finds its times on a calendar without time zones. What a local time means
that does not exist, or exists twice, is decided here (S561, S562): the library decides it otherwise
for some lines and zones.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

# A local time that exists twice is at most this far from its repetition.
_LONGEST_SHIFT: Final = timedelta(hours=3)
_NEVER: Final = "{!r} never fires; no date matches day of month and month"
_EXPECTED: Final = {  # in the order of the fields
    "minute": "* or 0 to 59",
    "hour": "* or 0 to 23",
    "day-of-month": "* or 1 to 31",
    "month": "* or 1 to 12",
    "day-of-week": "* or 0 to 7 or SUN to SAT",
}
_MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS: Final = 5
_ANY_DAY: Final = datetime(2000, 1, 1)  # noqa: DTZ001 -- a calendar without time zones
_LINE_ZONE: Final = ("TZ=", "CRON_TZ=")


class InvalidTiming(Exception):
    """A cron line or a time zone that cannot be used; the text says why and what to write."""


@dataclass(frozen=True)
class Timing:
    """The cron lines of a schedule in their time zone.

    Attributes:
        lines: The cron lines.
        zone: The time zone.
    """

    lines: tuple[str, ...]
    zone: tzinfo

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The times after `moment`, in UTC and in order, each once."""
        last = None
        for fire in heapq.merge(*(_fires(line, self.zone, moment) for line in self.lines)):
            if fire != last:
                yield fire
            last = fire


def timing(lines: Sequence[str], zone: str) -> Timing:
    """The timing of cron lines.

    Args:
        lines: Cron lines with five fields.
        zone: A name of the IANA database.

    Raises:
        InvalidTiming: The zone or a line cannot be used.
    """
    for number, line in enumerate(lines):
        problem = line_problem(line)
        if problem:
            raise InvalidTiming(f"schedules[{number}]: {problem}")
    return Timing(tuple(lines), time_zone(zone))


def time_zone(name: str) -> ZoneInfo:
    """The time zone with this name.

    Raises:
        InvalidTiming: There is none.
    """
    try:
        return ZoneInfo(name)
    # Not only its own error: a name may be that of a folder, or have a NUL.
    except (KeyError, ValueError, OSError) as error:
        text = (
            f"timeZone: {name!r} is not in the IANA database; write a name such as "
            "Europe/Berlin or Etc/UTC"
        )
        raise InvalidTiming(text) from error


def line_problem(line: str) -> str:
    """Why a cron line cannot be used, and what to write; "" if it can."""
    words = line.split()
    if line.strip().lower() in _MACROS:
        return f"{line!r} is a macro; write {_MACROS[line.strip().lower()]!r}"
    if line.startswith(_LINE_ZONE):
        return f"{line!r} has a time zone; write the zone in timeZone"
    if len(words) != _FIELDS:
        seconds = "; there are no seconds" if len(words) == _FIELDS + 1 else ""
        return (
            f"{line!r} has {len(words)} fields; write five: minute, hour, day of month, month, day "
            f"of week{seconds}"
        )
    try:
        next(CronSim(line, _ANY_DAY))
    except CronSimError as error:
        return _bad_line(line, words, str(error).lower())
    except StopIteration:
        return _NEVER.format(line)
    return ""


def _bad_line(line: str, words: list[str], problem: str) -> str:
    """What is wrong with a line of five fields, by the problem that the library names."""
    name = problem.removeprefix("bad ")
    if name not in _EXPECTED:
        return f"{line!r} is not a cron line: {problem}"
    if (
        name == "day-of-month"
        and words[3] != "*"
        and not line_problem(" ".join([*words[:3], "*", *words[4:]]))
    ):
        return _NEVER.format(line)
    found = words[list(_EXPECTED).index(name)]
    return (
        f"{line!r} is not a cron line: bad {name} {found!r}; write {_EXPECTED[name]}, with lists "
        "(1,3), ranges (1-3) and steps (*/2)"
    )


def _fires(line: str, zone: tzinfo, moment: datetime) -> Iterator[datetime]:
    """The times of one line after `moment`, in UTC, in order."""
    fixed = not line.split()[1].startswith("*")
    waiting: list[datetime] = []  # repetitions, which come after later local times
    for local in CronSim(line, _begin(zone, moment)):
        found = _moments(local, zone, fixed=fixed)
        while waiting and found and waiting[0] < found[0]:
            fire = heapq.heappop(waiting)
            if fire > moment:
                yield fire
        if found and found[0] > moment:
            yield found[0]
        for repeated in found[1:]:
            heapq.heappush(waiting, repeated)
    while waiting:  # a line has no date in the next 50 years
        fire = heapq.heappop(waiting)
        if fire > moment:
            yield fire


def _begin(zone: tzinfo, moment: datetime) -> datetime:
    """The local time from which a line is searched: earlier if the clock is put back about then."""
    before, now, later = (
        (moment + shift).astimezone(zone)
        for shift in (-_LONGEST_SHIFT, timedelta(), _LONGEST_SHIFT)
    )
    steady = before.utcoffset() == now.utcoffset() == later.utcoffset()
    return (now if steady else before).replace(tzinfo=None) - timedelta(seconds=1)


def _moments(local: datetime, zone: tzinfo, *, fixed: bool) -> list[datetime]:
    """The moments in UTC that a local time of a line means, in order.

    Args:
        local: The local time, without a zone.
        zone: The zone.
        fixed: The line names hours: one moment, also for a time that does not exist or exists
            twice. Else the line follows elapsed time.
    """
    first, second = _as_utc(local, zone, fold=0), _as_utc(local, zone, fold=1)
    if first == second:
        return [first]
    if first < second:  # the clock was put back
        return [first] if fixed else [first, second]
    return [_end_of_gap(second, first, zone)] if fixed else []  # it was put forward


def _as_utc(local: datetime, zone: tzinfo, *, fold: int) -> datetime:
    return local.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _end_of_gap(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    """The first moment with the new offset, between `low` (old offset) and `high` (new offset)."""
    old = low.astimezone(zone).utcoffset()
    seconds = int((high - low).total_seconds())
    before, after = 0, seconds
    while after - before > 1:
        middle = (before + after) // 2
        if (low + timedelta(seconds=middle)).astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return low + timedelta(seconds=after)
