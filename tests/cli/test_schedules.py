"""`waypost schedules` and `waypost backfill`."""

import json
from typing import Any

import pytest
from waypost.cli.app import main
from waypost.cli.errors import Exit
from waypost.schedules.subject import run_name

from tests.cli.conftest import Api
from tests.cli.runs import GROUP, NAMESPACE
from tests.support.builders import python
from tests.support.schedules import at, schedule_spec

Captured = pytest.CaptureFixture[str]
FOLDER = f"{GROUP}/namespaces/{NAMESPACE}"
RUNS = f"{FOLDER}/agentworkflows"
NAME = "nightly"


def schedule(*lines: str, **fields: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": NAME, "namespace": NAMESPACE, "uid": "u1", "generation": 1},
        "spec": schedule_spec(*(lines or ("30 2 * * *",)), **fields),
        "status": {"missed": 2, "lastScheduledAt": "2026-01-01T01:30:00.000Z"},
    }


def served(api: Api, *runs: dict[str, Any], **fields: Any) -> None:
    api.put(f"{FOLDER}/agentworkflowschedules/{NAME}", schedule(timeZone="Europe/Berlin", **fields))
    api.put(
        f"{FOLDER}/agentworkflowtemplates/review",
        {"metadata": {"name": "review"}, "spec": {"nodes": [python("a")]}},
    )
    api.items(RUNS, *runs)


def run_of(day: str, phase: str = "Succeeded") -> dict[str, Any]:
    name = run_name(NAME, at(f"{day}T01:30:00"))
    return {"metadata": {"name": name}, "status": {"phase": phase}}


DAYS = ["backfill", NAME, "--from", "2026-01-10", "--to", "2026-01-12T02:30"]


def test_the_times_that_come(api: Api, capsys: Captured) -> None:
    api.items(
        f"{FOLDER}/agentworkflowschedules",
        {**schedule("0 0 1 1 *"), "metadata": {"name": "yearly", "uid": "u2"}},
        schedule("* * * * *"),
    )
    assert main(["schedules", "-o", "json", "--next", "2"]) == 0
    first, second = json.loads(capsys.readouterr().out)["items"]
    assert (first["name"], second["name"]) == (NAME, "yearly"), "soonest first"
    assert len(first["next"]) == 2
    assert second["next"][0].endswith("-01-01T00:00:00.000Z")
    assert main(["schedules", NAME]) == 0
    printed = capsys.readouterr().out
    assert "2026-01-01T01:30:00.000Z" in printed
    assert "yearly" not in printed


def test_a_schedule_that_is_blocked(api: Api, capsys: Captured) -> None:
    body = schedule(suspend=True)
    condition = {
        "type": "Blocked",
        "status": "True",
        "reason": "RunInProgress",
        "message": "run x has not ended",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    body["status"] = {"conditions": [condition]}
    api.items(f"{FOLDER}/agentworkflowschedules", body)
    assert main(["schedules"]) == 0
    printed = capsys.readouterr().out
    assert "RunInProgress: run x has not ended" in printed
    assert "suspended" in printed


def test_no_such_schedule(api: Api, capsys: Captured) -> None:
    api.items(f"{FOLDER}/agentworkflowschedules")
    assert main(["schedules", "x"]) == Exit.NOT_FOUND
    assert "no AgentWorkflowSchedule 'x' in here" in capsys.readouterr().err


def test_dry_run_only_lists(api: Api, capsys: Captured) -> None:
    """S576"""
    served(api, run_of("2026-01-11"))
    assert main([*DAYS, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("T01:30:00.000Z") == 3, "02:30 in Berlin"
    assert printed.count("exists") == 1
    assert "2 runs would be started" in printed
    assert api.created == []


def test_the_runs_that_are_missing(api: Api, capsys: Captured) -> None:
    """S576: as the schedule makes them, with the label of a backfill, in the name of the user."""
    served(api, run_of("2026-01-11"))
    assert main([*DAYS, "--yes"]) == 0
    made = [body for path, body in api.created if path == RUNS]
    assert [body["spec"]["scheduledAt"] for body in made] == [
        "2026-01-10T01:30:00.000Z",
        "2026-01-12T01:30:00.000Z",
    ]
    first = made[0]
    assert first["metadata"]["name"] == run_name(NAME, at("2026-01-10T01:30:00"))
    assert first["metadata"]["labels"] == {
        "waypost.dev/schedule": NAME,
        "waypost.dev/backfill": "true",
    }
    assert first["spec"]["templateRef"] == {"name": "review"}
    assert first["spec"]["requestedBy"] == "ann"
    assert "2 runs started" in capsys.readouterr().out


def test_all_at_once_looks_at_no_run(api: Api, capsys: Captured) -> None:
    """S576: without a limit a run in progress does not matter."""
    served(api, run_of("2026-01-11", phase="Running"))
    assert main([*DAYS, "--yes", "--parallel", "0"]) == 0
    assert "2 runs started" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        pytest.param(
            ["--from", "soon"], Exit.USAGE, "--from soon: expected a date or a time", id="no time"
        ),
        pytest.param(
            ["--from", "2026-01-01", "--to", "2999-01-01"],
            Exit.USAGE,
            "--to 2999-01-01 has not come yet",
            id="the future",
        ),
        pytest.param(
            ["--from", "2026-01-01", "--to", "2026-02-01", "--max", "5", "--yes"],
            Exit.USAGE,
            "31 runs would be started; raise --max 5",
            id="too many",
        ),
    ],
)
def test_refusals(api: Api, capsys: Captured, argv: list[str], code: int, said: str) -> None:
    """S576"""
    served(api)
    assert main(["backfill", NAME, *argv]) == code
    assert said in capsys.readouterr().err
    assert api.created == []


def test_a_run_that_would_be_rejected(api: Api, capsys: Captured) -> None:
    served(api, run={"deadline": "1h", "inputs": {"n": 1}})
    api.put(
        f"{FOLDER}/agentworkflowtemplates/review",
        {"spec": {"nodes": [python("a")], "deadline": "10m"}},
    )
    assert main([*DAYS, "--yes"]) == Exit.FAILED
    assert "TemplateNotAccepted: a run would be rejected: deadline" in capsys.readouterr().err
    assert [path for path, _ in api.created if path == RUNS] == []
