"""Steps of a schedule as a table: what was observed, and what follows. `*/10` at 09:00."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from waypost.kube.timestamps import timestamp
from waypost.ports.cluster import Obj
from waypost.schedules.decide import Step, needs, step
from waypost.schedules.due import timing_digest
from waypost.schedules.look import Look, Named
from waypost.schedules.subject import (
    Schedule,
    ScheduledRun,
    run_name,
    schedule,
    schedule_of,
    scheduled_run,
)

from tests.support.schedules import NIGHTLY, at, schedule_spec
from tests.support.templates import REVIEW

NOON = at("2026-03-01T12:00")
TEN_PAST = at("2026-03-01T12:10")
NAME = run_name(NIGHTLY, TEN_PAST)


def seen(status: Obj | None = None, **fields: Any) -> Schedule:
    """The schedule; times up to 12:00 are done."""
    body = {
        "metadata": {
            "name": NIGHTLY,
            "namespace": "default",
            "uid": "u",
            "generation": 1,
            "resourceVersion": "7",
            "creationTimestamp": "2026-03-01T08:00:00Z",
        },
        "spec": schedule_spec("*/10 * * * *", **fields),
    }
    found = schedule(body)
    assert found is not None
    assert found.spec is not None, found.problem
    known = {"checkedUntil": timestamp(NOON), "timing": timing_digest(found.spec)}
    again = schedule({**body, "status": {**known, "observedGeneration": 1, **(status or {})}})
    assert again is not None
    return again


def starting(begun: datetime, now: datetime | None = None) -> Obj:
    moments = {"at": timestamp(now or begun), "begunAt": timestamp(begun)}
    return {"starting": {"name": NAME, "scheduledAt": timestamp(TEN_PAST), **moments}}


def run(minute: int, **fields: Any) -> ScheduledRun:
    """A run of a time of that hour, ended as Succeeded."""
    moment = NOON + timedelta(minutes=minute)
    name = run_name(NIGHTLY, moment)
    given = {"phase": "Succeeded", "active": False, "scheduled_at": moment, **fields}
    return ScheduledRun(name=name, uid=name, resource_version="1", **given)


def look(*runs: ScheduledRun, **fields: Any) -> Look:
    return replace(Look(runs=runs, template_read=True), **fields)


ABSENT = look(named=Named(exists=False))
FOUND = look(named=Named(exists=True))


def created(found: Step) -> str:
    return found.create["metadata"]["name"] if found.create else ""


@pytest.mark.parametrize(
    ("status", "fields", "looked", "seconds", "expected"),
    [
        pytest.param({}, {}, look(), 1, (NAME, True, 0), id="due: begun, then created"),
        pytest.param({}, {}, look(), -1, ("", False, 0), id="not due yet"),
        pytest.param(
            starting(TEN_PAST), {}, ABSENT, 3, (NAME, True, 0), id="not created: created again"
        ),
        pytest.param(starting(TEN_PAST), {}, FOUND, 3, ("", False, 0), id="created: recorded"),
        pytest.param(
            starting(TEN_PAST),
            {},
            look(named=Named(exists=True, ours=False)),
            3,
            ("", False, 1),
            id="S573: of another",
        ),
        pytest.param(
            starting(TEN_PAST, TEN_PAST + timedelta(seconds=595)),
            {},
            ABSENT,
            601,
            ("", True, 0),
            id="S572: late, but the last create may still be on its way",
        ),
        pytest.param(
            starting(TEN_PAST, TEN_PAST + timedelta(seconds=580)),
            {"concurrencyPolicy": "Allow"},
            ABSENT,
            599.5,
            (NAME, True, 0),
            id="S572: in time",
        ),
        pytest.param(
            starting(TEN_PAST), {"suspend": True}, ABSENT, 3, ("", True, 0), id="suspended: waits"
        ),
        pytest.param(
            starting(TEN_PAST + timedelta(hours=5)),
            {},
            ABSENT,
            3,
            (NAME, True, 0),
            id="S569: begun by a clock that was ahead",
        ),
        pytest.param(
            starting(TEN_PAST),
            {},
            look(named=Named(exists=False), create_refused="no quota"),
            3,
            ("", True, 0),
            id="S573: refused: not at once again",
        ),
    ],
)
def test_starting(
    status: Obj, fields: Obj, looked: Look, seconds: float, expected: tuple[str, bool, int]
) -> None:
    """Which run is created, whether one is still starting, and how many times were missed."""
    done = timestamp(TEN_PAST) if status else timestamp(NOON)
    observed = seen({**status, "checkedUntil": done}, **fields)
    found = step(observed, looked, TEN_PAST + timedelta(seconds=seconds))
    assert (created(found), found.status.starting is not None, found.status.missed) == expected
    if found.create is not None:
        assert found.status.starting is not None
        assert found.status.starting.at == timestamp(TEN_PAST + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("policy", "runs", "expected"),
    [
        pytest.param("Forbid", (run(0, active=True, phase="Paused"),), ("", 0, 1), id="paused"),
        pytest.param("Forbid", (run(0),), (NAME, 0, 0), id="ended"),
        pytest.param("Forbid", (run(0, active=True, backfill=True),), ("", 0, 1), id="backfill"),
        pytest.param("Allow", (run(0, active=True),), (NAME, 0, 0), id="allow"),
        pytest.param("Queue", (run(0, active=True),), ("", 0, 0), id="queue"),
        pytest.param("Replace", (run(0, active=True),), ("", 1, 0), id="replace"),
        pytest.param(
            "Replace", (run(0, active=True, cancelled=True),), ("", 0, 0), id="cancelled already"
        ),
        pytest.param(
            "Replace", (run(0, active=True, backfill=True),), (NAME, 0, 0), id="not a backfill"
        ),
        pytest.param("Forbid", (run(10),), ("", 0, 0), id="the run exists already"),
    ],
)
def test_policies(
    policy: str, runs: tuple[ScheduledRun, ...], expected: tuple[str, int, int]
) -> None:
    """S565 S566 S567: the run that is created, how many are cancelled, and how many are missed."""
    found = step(seen(concurrencyPolicy=policy), look(*runs), TEN_PAST)
    assert (created(found), len(found.cancel), found.status.missed) == expected


OLD = [run(minute) for minute in range(0, -120, -10)]


@pytest.mark.parametrize(
    ("runs", "limits", "kept"),
    [
        pytest.param(OLD[:3], (2, 2), OLD[:2], id="the newest stay"),
        pytest.param(OLD[:3], (0, 2), [], id="none"),
        pytest.param(
            [run(0, phase="Failed"), run(-10), run(-20, phase="Cancelled")],
            (0, 1),
            [run(0, phase="Failed")],
            id="failed and cancelled are of one kind",
        ),
        pytest.param(
            [run(-10, **{mark: True}) for mark in ("active", "tracked", "backfill", "held")],
            (0, 0),
            [run(-10, **{mark: True}) for mark in ("active", "tracked", "backfill", "held")],
            id="never these",
        ),
        pytest.param([run(30)], (0, 0), [run(30)], id="its time is not done: the clock was ahead"),
    ],
)
def test_history(
    runs: list[ScheduledRun], limits: tuple[int, int], kept: list[ScheduledRun]
) -> None:
    """S571"""
    good, bad = limits
    observed = seen(successfulRunsHistoryLimit=good, failedRunsHistoryLimit=bad)
    found = step(observed, look(*runs), NOON + timedelta(minutes=5))
    assert [one for one in runs if one not in found.delete] == kept


def test_the_run_that_is_starting_is_not_deleted() -> None:
    """S571"""
    observed = seen(
        {**starting(TEN_PAST), "checkedUntil": timestamp(TEN_PAST)}, successfulRunsHistoryLimit=0
    )
    found = step(observed, look(run(10), named=Named(exists=False)), TEN_PAST)
    assert found.delete == ()


@pytest.mark.parametrize(
    ("edit", "counts"),
    [
        pytest.param({"schedules": ["*/11 * * * *"]}, True, id="schedules"),
        pytest.param({"timeZone": "Europe/Berlin"}, True, id="timeZone"),
        pytest.param({"spread": "1m"}, True, id="spread"),
        pytest.param({"suspend": True}, True, id="suspend"),
        pytest.param({"concurrencyPolicy": "Allow"}, False, id="policy"),
        pytest.param({"startingDeadlineSeconds": 60}, False, id="deadline"),
        pytest.param({"successfulRunsHistoryLimit": 0}, False, id="history"),
        pytest.param({"run": {"inputs": {"n": 2}}}, False, id="inputs"),
    ],
)
def test_what_is_an_edit_of_the_times(edit: Obj, counts: bool) -> None:
    """S568"""
    before, after = seen().spec, seen(**edit).spec
    assert before is not None
    assert after is not None
    assert (timing_digest(before) != timing_digest(after)) is counts


@pytest.mark.parametrize("policy", ["Forbid", "Queue", "Replace"])
def test_runs_and_the_template_are_read_live_before_a_start(policy: str) -> None:
    """S565: before `starting` is written."""
    found = needs(seen(concurrencyPolicy=policy), TEN_PAST)
    assert (found.runs, found.template) == (True, REVIEW)
    unread = step(seen(concurrencyPolicy=policy), Look(), TEN_PAST)
    assert (created(unread), unread.status.starting) == ("", None)


def test_nothing_is_read_while_nothing_is_due() -> None:
    found = needs(seen(), NOON + timedelta(minutes=5))
    assert (found.named, found.runs, found.template) == ("", False, "")


@pytest.mark.parametrize(
    ("body", "active"),
    [
        pytest.param({}, True, id="new"),
        pytest.param({"status": {"phase": "Paused"}}, True, id="paused"),
        pytest.param({"status": {"phase": "Waiting"}}, True, id="at-a-gate"),
        pytest.param({"status": {"phase": "Rejected"}}, False, id="rejected"),
        pytest.param({"status": {"phase": "Failed", "round": 1}}, False, id="failed"),
        pytest.param(
            {"spec": {"rerun": {"round": 2}}, "status": {"phase": "Failed"}}, True, id="run again"
        ),
        pytest.param(
            {"spec": {"rerun": {"round": 2}}, "status": {"phase": "Failed", "round": 2}},
            False,
            id="ended again",
        ),
        pytest.param({"status": 1, "spec": [], "metadata": None}, True, id="odd"),
    ],
)
def test_runs_in_progress(body: Obj, active: bool) -> None:
    assert scheduled_run(body).active is active
    assert schedule_of(body) == ""
