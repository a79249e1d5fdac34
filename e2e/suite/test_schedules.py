"""Schedules on a real cluster. A minute is the shortest time, so the tests move what the status
says is done: to the operator it then looks as if none had worked for some minutes.
"""

from datetime import UTC, datetime, timedelta

import pytest

from e2e.suite.build import Obj
from e2e.suite.ledger import Ledger
from e2e.suite.operators import OPERATOR_USER, Operator
from e2e.suite.space import Space, condition
from e2e.suite.test_providers import made
from e2e.suite.test_templates import body, node, template
from e2e.suite.waiting import until

SCHEDULES = "agentworkflowschedules"
MINUTE = timedelta(minutes=1)


def schedule(space: Space, name: str, *lines: str, **fields: object) -> Obj:
    run = {"templateRef": {"name": name}}
    spec = {"schedules": list(lines or ("* * * * *",)), "template": {"spec": run}, **fields}
    found = made(space, SCHEDULES, "AgentWorkflowSchedule", name, spec)
    until(lambda: "checkedUntil" in status(space, name), within=30, what="the operator has seen it")
    return found


def status(space: Space, name: str) -> Obj:
    found: Obj = (space.get(SCHEDULES, name) or {}).get("status", {})
    return found


def runs(space: Space, name: str) -> list[Obj]:
    found = space.all("agentworkflows", f"waypost.dev/schedule={name}")
    return sorted(found, key=lambda run: str(run["spec"]["scheduledAt"]))


def as_if_down(space: Space, name: str, minutes: int) -> None:
    """The status says that nothing was done for so many minutes."""
    done = datetime.now(UTC) - minutes * MINUTE
    text = done.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    space.patch(SCHEDULES, name, {"status": {"checkedUntil": text}}, sub="status", by=OPERATOR_USER)


def test_s564_five_missed_times_start_one_run(space: Space) -> None:
    say = "def run(at):\n    return at\n"
    template(
        space,
        "late",
        body(
            node("a", say, inputs={"at": "${run.scheduledAt}"}), outputs={"at": "${nodes.a.output}"}
        ),
    )
    schedule(space, "late", concurrencyPolicy="Allow")
    as_if_down(space, "late", 5)
    until(lambda: bool(runs(space, "late")), within=30, what="a run was started")
    first = runs(space, "late")[0]
    assert status(space, "late")["missed"] in (4, 5)
    until(
        lambda: runs(space, "late")[0].get("status", {}).get("phase") == "Succeeded",
        within=30,
        what="it has succeeded",
    )
    assert runs(space, "late")[0]["status"]["outputs"]["at"] == first["spec"]["scheduledAt"]
    assert first["spec"]["scheduledAt"].endswith(":00.000Z")
    assert "ownerReferences" not in first["metadata"]
    recent = [fire["name"] for fire in status(space, "late")["recent"]]
    assert first["metadata"]["name"] in recent


def test_s565_forbid_names_the_run(space: Space, ledger: Ledger) -> None:
    source = ledger.counted("def run():\n    note()\n    held()\n    return 1\n")
    template(space, "long", body(node("a", source)))
    schedule(space, "long")
    as_if_down(space, "long", 2)
    until(lambda: len(runs(space, "long")) == 1, within=30, what="a run was started")
    name = runs(space, "long")[0]["metadata"]["name"]
    until(lambda: "starting" not in status(space, "long"), within=30, what="it is recorded")
    as_if_down(space, "long", 1)
    blocked = {}

    def says() -> bool:
        blocked.update(condition(space.get(SCHEDULES, "long") or {}, "Blocked"))
        return blocked.get("status") == "True"

    until(says, within=90, what="Blocked is True")
    assert blocked["reason"] == "RunInProgress"
    assert f"waypost cancel {name}" in blocked["message"]
    space.patch("agentworkflows", name, {"spec": {"cancel": True}})
    ledger.release(runs(space, "long")[0]["metadata"]["uid"])
    until(
        lambda: condition(space.get(SCHEDULES, "long") or {}, "Blocked")["status"] == "False",
        within=30,
        what="the run has ended",
    )


@pytest.mark.alone
def test_s572_an_operator_that_is_killed_starts_no_second_run(
    space: Space, operator: Operator
) -> None:
    template(space, "killed", body(node("a", "def run():\n    return 1\n")))
    schedule(space, "killed", startingDeadlineSeconds=300)
    as_if_down(space, "killed", 2)
    until(lambda: bool(runs(space, "killed")), within=30, what="a run was started")
    operator.crash(operator.ready())
    operator.ready()
    until(lambda: "starting" not in status(space, "killed"), within=60, what="it is recorded")
    named = [run["metadata"]["name"] for run in runs(space, "killed")]
    assert len(named) == len(set(named))
    times = [run["spec"]["scheduledAt"] for run in runs(space, "killed")]
    assert len(times) == len(set(times))


def test_s570_a_template_that_is_missing(space: Space) -> None:
    schedule(space, "lonely")
    until(
        lambda: (
            condition(space.get(SCHEDULES, "lonely") or {}, "Blocked").get("reason")
            == "MissingReference"
        ),
        within=30,
        what="Blocked says so",
    )
    as_if_down(space, "lonely", 2)
    template(space, "lonely", body(node("a", "def run():\n    return 1\n")))
    until(
        lambda: bool(runs(space, "lonely")), within=30, what="it starts when the template is there"
    )


def test_s574_deleting_a_schedule_leaves_its_runs(space: Space) -> None:
    template(space, "gone", body(node("a", "def run():\n    return 1\n")))
    schedule(space, "gone", "0 0 1 1 *")
    space.patch(SCHEDULES, "gone", {"spec": {"schedules": ["* * * * *"]}})
    until(lambda: len(status(space, "gone").get("nextAt", "")) > 0, within=30, what="it is edited")
    as_if_down(space, "gone", 2)
    until(lambda: bool(runs(space, "gone")), within=30, what="a run was started")
    space.kube.request(
        "DELETE", f"/apis/waypost.dev/v1alpha1/namespaces/{space.name}/{SCHEDULES}/gone"
    )
    until(lambda: space.get(SCHEDULES, "gone") is None, within=30, what="the schedule is gone")
    assert runs(space, "gone")
