"""Cron lines in time zones: our own table of what happens when clocks change (S561, S562)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from waypost.schedules.cron import InvalidTiming, line_problem, time_zone, timing

from tests.support import minutes
from tests.support.schedules import at

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
CAIRO, TROLL = "Africa/Cairo", "Antarctica/Troll"


def fires(lines: list[str], zone: str, begin: str, end: str) -> list[datetime]:
    """The times between two local times of the zone."""
    first, last = (
        datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for text in (begin, end)
    )
    return _until(last, timing(lines, zone).after(first))


def shown(moments: list[datetime], zone: str) -> list[str]:
    """Day, local time and offset: `29T03:00+02:00`."""
    texts = (moment.astimezone(ZoneInfo(zone)).isoformat() for moment in moments)
    return [text[8:16] + text[19:] for text in texts]


TABLE = [
    # The clock goes from 02:00 to 03:00: a day of 23 hours.
    pytest.param(
        BERLIN,
        ["30 2 * * *"],
        "2026-03-28T00:00",
        "2026-03-30T12:00",
        ["28T02:30+01:00", "29T03:00+02:00", "30T02:30+02:00"],
        id="Berlin, spring: a time that does not exist is the first moment after the gap",
    ),
    pytest.param(
        BERLIN,
        ["0 2,3 * * *", "30 2 * * *"],
        "2026-03-29T00:00",
        "2026-03-29T12:00",
        ["29T03:00+02:00"],
        id="Berlin, spring: three times that become one moment are one",
    ),
    pytest.param(
        BERLIN,
        ["0 * * * *"],
        "2026-03-29T00:30",
        "2026-03-29T04:30",
        ["29T01:00+01:00", "29T03:00+02:00", "29T04:00+02:00"],
        id="Berlin, spring: each hour means each hour that passes",
    ),
    pytest.param(
        BERLIN,
        ["*/30 2 * * *"],
        "2026-03-29T00:00",
        "2026-03-29T12:00",
        ["29T03:00+02:00"],
        id="Berlin, spring: the hour is named, the minutes are not",
    ),
    # From 03:00 to 02:00: a day of 25 hours.
    pytest.param(
        BERLIN,
        ["30 2 * * *"],
        "2026-10-24T12:00",
        "2026-10-26T12:00",
        ["25T02:30+02:00", "26T02:30+01:00"],
        id="Berlin, autumn: a time that exists twice is the first",
    ),
    pytest.param(
        BERLIN,
        ["*/30 * * * *"],
        "2026-10-25T01:30",
        "2026-10-25T03:00",
        [
            "25T02:00+02:00",
            "25T02:30+02:00",
            "25T02:00+01:00",
            "25T02:30+01:00",
            "25T03:00+01:00",
        ],
        id="Berlin, autumn: each half hour that passes",
    ),
    pytest.param(
        BERLIN,
        ["*/30 2 * * *"],
        "2026-10-25T00:00",
        "2026-10-25T12:00",
        ["25T02:00+02:00", "25T02:30+02:00"],
        id="Berlin, autumn: the hour is named",
    ),
    pytest.param(
        NEW_YORK,
        ["30 2 * * *"],
        "2026-03-08T00:00",
        "2026-03-09T12:00",
        ["08T03:00-04:00", "09T02:30-04:00"],
        id="New York, spring",
    ),
    pytest.param(
        NEW_YORK,
        ["30 1 * * *"],
        "2026-11-01T00:00",
        "2026-11-02T12:00",
        ["01T01:30-04:00", "02T01:30-05:00"],
        id="New York, autumn",
    ),
    # Half an hour.
    pytest.param(
        LORD_HOWE,
        ["15 2 * * *"],
        "2026-10-04T00:00",
        "2026-10-05T12:00",
        ["04T02:30+11:00", "05T02:15+11:00"],
        id="Lord Howe, spring: from 02:00 to 02:30",
    ),
    pytest.param(
        LORD_HOWE,
        ["45 1 * * *"],
        "2026-04-05T00:00",
        "2026-04-06T12:00",
        ["05T01:45+11:00", "06T01:45+10:30"],
        id="Lord Howe, autumn: from 02:00 to 01:30",
    ),
    pytest.param(
        LORD_HOWE,
        ["0 */2 * * *"],
        "2026-04-05T00:00",
        "2026-04-05T05:00",
        ["05T02:00+10:30", "05T04:00+10:30"],
        id="Lord Howe, autumn: cronsim alone leaves 02:00 out",
    ),
    # At midnight.
    pytest.param(
        CAIRO,
        ["0 0 * * *"],
        "2026-04-23T12:00",
        "2026-04-25T12:00",
        ["24T01:00+03:00", "25T00:00+03:00"],
        id="Cairo, spring: the day begins at 01:00",
    ),
    pytest.param(
        CAIRO,
        ["30 23 * * 4"],
        "2026-10-29T12:00",
        "2026-10-30T12:00",
        ["29T23:30+03:00"],
        id="Cairo, autumn: the last hour of Thursday exists twice",
    ),
    # Two hours.
    pytest.param(
        TROLL,
        ["30 1 * * *", "30 2 * * *"],
        "2026-03-29T00:00",
        "2026-03-30T12:00",
        ["29T03:00+02:00", "30T01:30+02:00", "30T02:30+02:00"],
        id="Troll, spring: two hours are left out",
    ),
    pytest.param(
        TROLL,
        ["0 * * * *"],
        "2026-10-25T00:30",
        "2026-10-25T04:00",
        [
            "25T01:00+02:00",
            "25T02:00+02:00",
            "25T01:00+00:00",
            "25T02:00+00:00",
            "25T03:00+00:00",
            "25T04:00+00:00",
        ],
        id="Troll, autumn: two hours come again",
    ),
    # Days.
    pytest.param(
        BERLIN,
        ["0 12 29 2 *"],
        "2026-01-01T00:00",
        "2033-01-01T00:00",
        ["29T12:00+01:00", "29T12:00+01:00"],
        id="leap days: 2028 and 2032",
    ),
    pytest.param(
        BERLIN,
        ["0 6 L * *"],
        "2026-02-01T00:00",
        "2026-04-30T12:00",
        ["28T06:00+01:00", "31T06:00+02:00", "30T06:00+02:00"],
        id="the last day of a month",
    ),
    pytest.param(
        BERLIN,
        ["0 6 * * MON#1"],
        "2026-03-01T00:00",
        "2026-04-30T00:00",
        ["02T06:00+01:00", "06T06:00+02:00"],
        id="the first Monday of a month",
    ),
    pytest.param(
        "Etc/UTC",
        ["0 0 13 * 5"],
        "2026-02-12T00:00",
        "2026-02-21T00:00",
        ["13T00:00+00:00", "20T00:00+00:00"],
        id="day of month or day of week, as cron has it",
    ),
]


@pytest.mark.parametrize(("zone", "lines", "begin", "end", "expected"), TABLE)
def test_table(zone: str, lines: list[str], begin: str, end: str, expected: list[str]) -> None:
    """S561 S562"""
    assert shown(fires(lines, zone, begin, end), zone) == expected


SWITCHES = {
    BERLIN: ("2026-03-29", "2026-10-25"),
    NEW_YORK: ("2026-03-08", "2026-11-01"),
    LORD_HOWE: ("2026-04-05", "2026-10-04"),
    CAIRO: ("2026-04-24", "2026-10-30"),
    TROLL: ("2026-03-29", "2026-10-25"),
    "Etc/UTC": ("2026-03-01", "2028-02-29"),
    "Pacific/Chatham": ("2026-04-05", "2026-09-27"),
}
LINES = (
    "30 2 * * *",
    "0 2,3 * * *",
    "*/30 2 * * *",
    "15 1-3 * * *",
    "0 * * * *",
    "*/20 * * * *",
    "0 */2 * * *",
    "45 1 * * *",
    "0 0-23 * * *",
    "10 */3 * * 0,5",
    "5,50 0 25-31 * 4",
)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("zone", SWITCHES)
def test_as_the_second_implementation(zone: str, line: str) -> None:
    """S561 S562: from whatever moment around the change the times are asked for."""
    for day in SWITCHES[zone]:
        noon = at(day) + timedelta(hours=12)
        until = noon + timedelta(hours=36)
        whole = list(minutes.fires(line, zone, after=noon - timedelta(hours=36), until=until))
        for hours in (-36.0, -22.3, -13.51, -12.26, -11.4, -10.2, -9.99, -1.7, 0.26, 1.5, 3.9):
            after = noon + timedelta(hours=hours)
            found = _until(until, timing([line], zone).after(after))
            assert found == [one for one in whole if one > after], f"after {after}"


def _until(last: datetime, moments: Iterator[datetime]) -> list[datetime]:
    return list(takewhile(lambda one: one <= last, moments))


def test_each_time_comes_after_the_moment_that_was_asked_for() -> None:
    moment = at("2026-03-01T09:10")
    assert next(timing(["10 9 * * *"], "Etc/UTC").after(moment)) == at("2026-03-02T09:10")


def test_a_line_that_ends() -> None:
    """A line without a date in 50 years has no more times."""
    assert list(islice(timing(["0 0 29 2 *"], "Etc/UTC").after(at("2096-03-01")), 1)) == [
        at("2104-02-29")
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("@daily", "'@daily' is a macro; write '0 0 * * *'", id="macro"),
        pytest.param("0 0 * *", "has 4 fields; write five", id="four fields"),
        pytest.param("0 0 0 * * *", "has 6 fields; write five", id="seconds"),
        pytest.param("0 24 * * *", "bad hour '24'; write * or 0 to 23", id="hour 24"),
        pytest.param("0 0 31 2 *", "never fires; no date matches", id="31 February"),
        pytest.param("*/0 * * * *", "bad minute", id="step 0"),
        pytest.param("TZ=Asia/Tokyo 0 0 * * *", "write the zone in timeZone", id="zone"),
        pytest.param("0 0 ? * *", "bad day-of-month", id="question mark"),
        pytest.param("0 0 * * 5L", "", id="the last Friday"),
        pytest.param("0 0 LW * *", "", id="the last weekday"),
        pytest.param("0  0\t* * *", "", id="blanks"),
    ],
)
def test_lines_that_cannot_be_used(line: str, said: str) -> None:
    """S562"""
    problem = line_problem(line)
    assert said in problem
    assert bool(said) == bool(problem)


@pytest.mark.parametrize("name", ["Mars/Phobos", "", "../etc/passwd", "Europe", "a\0b", "/etc"])
def test_zones_that_are_none(name: str) -> None:
    """S562"""
    with pytest.raises(InvalidTiming, match="is not in the IANA database"):
        time_zone(name)
