"""A second implementation of cron lines in time zones: it looks at each minute of UTC.

It shares no code with `waypost.schedules.cron` and no idea: no calendar, no library, no arithmetic
on local times but for the minutes that a clock leaves out.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)


@cache
def _numbers(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        begin = low if span == "*" else int(first)
        end = int(last) if last else high if span == "*" or step else begin
        found |= set(range(begin, end + 1, int(step or 1)))
    return found


def _matches(line: str, local: datetime) -> bool:
    minute, hour, day, month, weekday = line.split()
    if local.minute not in _numbers(minute, 0, 59) or local.hour not in _numbers(hour, 0, 23):
        return False
    if local.month not in _numbers(month, 1, 12):
        return False
    by_day = local.day in _numbers(day, 1, 31)
    by_weekday = local.isoweekday() % 7 in {number % 7 for number in _numbers(weekday, 0, 7)}
    both = day.startswith("*") or weekday.startswith("*")
    return (by_day and by_weekday) if both else (by_day or by_weekday)


def fires(line: str, zone: str, *, after: datetime, until: datetime) -> Iterator[datetime]:
    """The times of a line in UTC: each minute is looked at, from four hours before `after`.

    A line that names its hours fires at the first minute with a local time, and in the minute in
    which the clock has passed over it. One that does not fires in each minute that matches.
    """
    names_hours = not line.split()[1].startswith("*")
    first = after.replace(second=0, microsecond=0) - timedelta(hours=4)
    count = int((until - first) / MINUTE) + 1
    seen: set[datetime] = set()
    moments = (first + number * MINUTE for number in range(count))
    clock = ((one, one.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for one in moments)
    for (_, earlier), (moment, local) in pairwise(clock):
        shown = [local]
        if names_hours:
            left_out = int((local - earlier) / MINUTE) - 1
            shown = [local - number * MINUTE for number in range(max(left_out, 0) + 1)]
            shown = [one for one in shown if one not in seen]
            seen |= {*shown, local}
        if after < moment <= until and any(_matches(line, one) for one in shown):
            yield moment
