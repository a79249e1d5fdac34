"""Times and durations of waits that are known before the run (S468)."""

from typing import Any

import pytest
from waypost.compiler.definition import define

from tests.support.builders import python, spec


def problems(**wait: Any) -> list[str]:
    node = {"name": "w", "wait": wait}
    return [str(each) for each in define(spec(node, inputs={"n": 5})).problems]


UNTIL = {
    "word": "tomorrow",
    "no-month": "2026-13-01T00:00:00Z",
    "date": "2026-01-01",
    "no-offset": "2026-01-01T00:00:00",
    "number": "1767225600",
    "year": "0001-01-01T00:00:00Z",
}


@pytest.mark.parametrize("until", UNTIL.values(), ids=UNTIL.keys())
def test_s468_a_text_that_is_no_time_is_refused(until: str) -> None:
    (found,) = problems(until=until)
    assert found == (
        f"nodes.w.wait.until: expected a time like 2026-11-24T03:10:00Z with its offset, "
        f"found {until!r}"
    )


TIMES = ("2026-11-24T03:10:00Z", "2026-11-24T03:10:00+02:00", "${run.createdAt}")


@pytest.mark.parametrize("until", TIMES)
def test_s468_times_are_taken(until: str) -> None:
    assert problems(until=until) == []


DURATIONS = {
    "days": ("1d", "there are no days or weeks: write hours, such as 24h"),
    "weeks": ("2w", "there are no days or weeks"),
    "iso-8601": ("PT5M", "is not a duration like 90s, 10m or 1h30m"),
    "words": ("5 minutes", "is not a duration"),
    "no-unit": ("90", "is not a duration"),
    "fraction": ("1.5h", "is not a duration"),
    "negative": ("-5s", "is not a duration"),
}


@pytest.mark.parametrize(("duration", "words"), DURATIONS.values(), ids=DURATIONS.keys())
def test_a_text_that_is_no_duration_is_answered(duration: str, words: str) -> None:
    (found,) = problems(duration=duration)
    assert words in found


WAIT = {"name": "w", "wait": {"duration": "1h"}}
EVENT = {"name": "w", "event": {"names": ["paid"]}}
CHOOSES = {"name": "b", "first": {"of": ["a", "w"]}}


@pytest.mark.parametrize(
    ("raw", "warned"),
    [
        pytest.param(spec(python("a"), WAIT), True, id="S76-a-wait"),
        pytest.param(spec(python("a"), EVENT), True, id="S76-an-event"),
        pytest.param(spec(WAIT), False, id="S76-alone"),
        pytest.param(spec(python("a", dependsOn=["w"]), WAIT), False, id="S76-before-a-node"),
        pytest.param(spec(python("a", after=["w"]), EVENT), False, id="S76-softly"),
        pytest.param(
            spec(python("a", when="${nodes.w.phase == 'Succeeded'}"), WAIT), False, id="S76-read"
        ),
        pytest.param(spec(python("a"), WAIT, CHOOSES), False, id="S76-a-candidate"),
        pytest.param(
            spec(python("a"), EVENT, outputs={"o": "${nodes.w.output.payload}"}),
            False,
            id="S76-an-output",
        ),
        pytest.param(
            {**spec(python("a"), WAIT), "finally": [python("f", after=["w"])]},
            False,
            id="S76-before-finally",
        ),
    ],
)
def test_a_wait_that_holds_nothing_back_is_a_warning(raw: Any, warned: bool) -> None:
    found = [each for each in define(raw).warnings if "stays open until it ends" in each.message]
    assert [each.field for each in found] == (["nodes.w"] if warned else [])
