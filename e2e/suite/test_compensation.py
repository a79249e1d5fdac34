"""Compensation on a real cluster: after a failure, a cancel and the deadline, in reverse order and
once, and an operator that dies meanwhile changes nothing."""

from itertools import pairwise
from typing import Any

import pytest

from e2e.suite.build import Workflow, workflow
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Space, condition, node_of

UNDO = "def run(gave, key):\n    time.sleep(SECONDS)\n    return [gave, len(key)]\n"
LAST = """
def run():
    if os.environ["WAYPOST_RUN"] in ("cancelled", "late"):
        time.sleep(50)
    raise RuntimeError("sold out")
"""
STEPS = ("flight", "hotel", "charge")
UNDONE = [f"{name}/compensate" for name in reversed(STEPS)]


def saga(name: str, ledger: Ledger, *, seconds: float = 0.1, **fields: Any) -> Workflow:
    """Three steps one after another, each with its compensation, and a fourth one that fails."""
    made = workflow(name)
    undo = {
        "inputs": {"gave": "${self.output.id}", "key": "${self.idempotencyKey}"},
        "python": {"source": ledger.counted(UNDO.replace("SECONDS", str(seconds)))},
    }
    before: list[str] = []
    for step in STEPS:
        source = ledger.counted(f"def run():\n    return {{'id': '{step}'}}\n")
        made = made.python(step, source, dependsOn=before[-1:], compensate=undo)
        before.append(step)
    made = made.python("ticket", ledger.counted(LAST), dependsOn=["charge"])
    return made.having(**fields)


@pytest.mark.parametrize(
    ("name", "phase", "reason"),
    [
        ("failed", "Failed", "NodeError"),
        ("cancelled", "Cancelled", "Cancelled"),
        ("late", "Failed", "DeadlineExceeded"),
    ],
)
def test_s270_what_has_succeeded_is_undone(
    space: Space, ledger: Ledger, name: str, phase: str, reason: str
) -> None:
    fields: dict[str, Any] = {"deadline": "25s"} if name == "late" else {}
    run = space.start(saga(name, ledger, **fields))
    if name == "cancelled":
        run.reaches("ticket", "Running")
        run.set(cancel=True)
    seen = run.finished(within=120)
    status = seen["status"]
    assert (status["phase"], condition(seen, "Succeeded")["reason"]) == (phase, reason)
    undone = condition(seen, "CompensationSucceeded")
    assert undone["status"] == "True", undone["message"]
    assert (status["stage"], status["verdict"]["phase"]) == ("Compensating", phase)
    attempts = [node_of(seen, path)["attempts"] for path in UNDONE]
    assert [len(each) for each in attempts] == [1, 1, 1]
    moments = [(each[0]["launchedAt"], each[0]["finishedAt"]) for each in attempts]
    for (_, ended), (began, _) in pairwise(moments):
        assert ended <= began, "one after another, in reverse order"
    starts = ledger.starts(run.uid)
    assert {path: starts[path] for path in UNDONE} == dict.fromkeys(UNDONE, 1)
    assert node_of(seen, "charge/compensate")["output"] == ["charge", 40]


@pytest.mark.alone
def test_s272_an_operator_killed_during_compensation_undoes_each_node_once(
    space: Space, ledger: Ledger, operator: Operator
) -> None:
    run = space.start(saga("killed", ledger, seconds=4))
    for path in UNDONE[:2]:
        run.reaches(path, "Running")
        verdict = run.read()["status"]["verdict"]
        operator.crash(operator.ready())
        operator.ready()
    seen = run.finished(within=180)
    assert seen["status"]["phase"] == "Failed"
    assert seen["status"]["verdict"] == verdict
    starts = ledger.starts(run.uid)
    assert starts == {**dict.fromkeys(STEPS, 1), "ticket": 1, **dict.fromkeys(UNDONE, 1)}


def test_s279_an_undone_node_runs_again_in_the_next_round(space: Space, ledger: Ledger) -> None:
    run = space.start(saga("again", ledger))
    run.finished(within=120)
    run.set(rerun={"round": 2})
    seen = run.until(
        lambda found: found["status"].get("round") == 2 and "finishedAt" in found["status"],
        what="round 2 has ended",
        within=180,
    )
    assert node_of(seen, "charge")["dispositionMessage"] == "undone in round 1"
    starts = ledger.starts(run.uid)
    assert {path: starts[path] for path in (*STEPS, *UNDONE)} == dict.fromkeys((*STEPS, *UNDONE), 2)


def test_s278_skip_finally_stops_compensation(space: Space, ledger: Ledger) -> None:
    run = space.start(saga("skipped", ledger, seconds=50))
    run.reaches("charge/compensate", "Running")
    run.set(cancel=True, skipFinally=True)
    seen = run.finished(within=60)
    assert seen["status"]["phase"] == "Failed", "the verdict stays"
    assert condition(seen, "CompensationSucceeded")["reason"] == "CompensationSkipped"
    assert "hotel/compensate" not in ledger.starts(run.uid)


def rooms(name: str, ledger: Ledger, *, seconds: float = 0.1) -> Workflow:
    """A map of three reservations, each with its compensation, and a node that fails."""
    undo = {
        "inputs": {"gave": "${self.output.id}", "key": "${self.idempotencyKey}"},
        "python": {"source": ledger.counted(UNDO.replace("SECONDS", str(seconds)))},
    }
    source = ledger.counted("def run(room):\n    return {'id': room}\n")
    made = workflow(name).python(
        "book",
        source,
        forEach={"items": "${['a', 'b', 'c']}", "maxParallel": 3},
        inputs={"room": "${item}"},
        compensate=undo,
    )
    return made.python("ticket", ledger.counted(LAST), dependsOn=["book"])


def test_s504_the_items_of_a_map_are_undone_from_the_last_to_the_first(
    space: Space, ledger: Ledger
) -> None:
    run = space.start(rooms("rooms", ledger, seconds=1.2))  # Jobs have whole seconds
    seen = run.finished(within=120)
    assert seen["status"]["phase"] == "Failed"
    undone = node_of(seen, "book/compensate")
    assert (undone["phase"], undone["items"]["succeeded"]) == ("Succeeded", 3)
    items = [f"book/compensate/{index}" for index in range(3)]
    starts = ledger.starts(run.uid)
    assert {path: starts[path] for path in items} == dict.fromkeys(items, 1)
    jobs = [job for path in items for job in run.jobs(path.replace("/", "."))]
    made = [job["metadata"]["creationTimestamp"] for job in jobs]
    assert made == sorted(set(made)), "one after another"


@pytest.mark.alone
def test_s504_an_operator_killed_while_items_are_undone_undoes_each_once(
    space: Space, ledger: Ledger, operator: Operator
) -> None:
    run = space.start(rooms("rooms-killed", ledger, seconds=4))
    for _ in range(2):
        run.reaches("book/compensate", "Running")
        operator.crash(operator.ready())
        operator.ready()
    run.finished(within=180)
    items = [f"book/compensate/{index}" for index in range(3)]
    starts = ledger.starts(run.uid)
    assert {path: starts[path] for path in items} == dict.fromkeys(items, 1)
