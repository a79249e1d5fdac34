"""Maps on a real cluster: each item runs once, also when the operator dies in the middle, and the
results have the order of the list, whatever the order in which the items end."""

from collections import Counter
from typing import Any

import pytest

from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.kube import Obj
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Space, condition, node_of
from e2e.suite.waiting import until

ITEMS = 12
MIDDLE = 5
BROKEN = 5
SECONDS = 150.0  # twelve pods, three at a time
MANY = 60
KILLS = 3
# One item fails each time, three fail once.
UNSTEADY = f"""
def run(item, position):
    with open("/waypost/in/request.json") as file:
        attempt = json.load(file)["attempt"]
    if position == {BROKEN} or (position % 20 == 0 and attempt == 1):
        raise RuntimeError(f"{{item}} is busy")
    return {{"item": item, "position": position}}
"""
# The first of the items that run together ends last.
SCAN = f"""
def run(item, position):
    time.sleep(3 - position % 3)
    if position == {BROKEN}:
        raise RuntimeError(f"{{item}} cannot be read")
    return {{"item": item, "position": position}}
"""
RESULTS: list[Any] = [{"item": f"page-{at}", "position": at} for at in range(ITEMS)]
RESULTS[BROKEN] = None
ONCE = {f"scan/{at}": 1 for at in range(ITEMS)}


def scanning(ledger: Ledger, name: str) -> Workflow:
    """A run with a map over 12 pages, of which one cannot be read."""
    pages = [f"page-{at}" for at in range(ITEMS)]
    made = workflow(name).having(inputs={"pages": pages}, outputs={"seen": "${nodes.scan.output}"})
    return made.python(
        "scan",
        ledger.counted(SCAN),
        inputs={"item": "${item}", "position": "${index}"},
        outputSchema=schema(item="string", position="integer"),
        forEach={"items": "${inputs.pages}", "maxParallel": 3, "tolerate": 1},
        effect="once",
    )


def judge(seen: Obj, ledger: Ledger, run_uid: str) -> None:
    """The run has the results in order, and no program has started twice."""
    assert seen["status"]["outputs"]["seen"] == RESULTS
    assert condition(seen, "Succeeded")["reason"] == "CompletedWithFailures"
    counts = node_of(seen, "scan")["items"]
    assert (counts["total"], counts["succeeded"], counts["failed"]) == (ITEMS, ITEMS - 1, 1)
    assert [failure["index"] for failure in counts["failures"]] == [BROKEN]
    assert ledger.starts(run_uid) == ONCE
    keys = {entry["key"] for entry in ledger.entries(run_uid)}
    assert len(keys) == ITEMS, "each item has its own idempotency key"


def test_s174_s176_a_map_has_its_results_in_order(space: Space, ledger: Ledger) -> None:
    run = space.start(scanning(ledger, "map"))
    judge(run.succeeded(within=SECONDS), ledger, run.uid)


@pytest.mark.alone
def test_an_operator_that_dies_in_a_map_repeats_no_item(
    space: Space, ledger: Ledger, operator: Operator
) -> None:
    run = space.start(scanning(ledger, "killed-in-a-map"))
    until(
        lambda: len(ledger.starts(run.uid)) >= MIDDLE,
        within=SECONDS,
        what=f"{MIDDLE} items have begun",
        seen=run.shown,
    )
    operator.crash(operator.ready())
    assert len(ledger.starts(run.uid)) < ITEMS, "the operator died before the last items began"
    judge(run.succeeded(within=SECONDS), ledger, run.uid)


def many(ledger: Ledger, name: str) -> Workflow:
    """A run with a map over 60 pages: one cannot be read, three can be read at the second time."""
    pages = [f"page-{at}" for at in range(MANY)]
    made = workflow(name).having(inputs={"pages": pages}, outputs={"seen": "${nodes.scan.output}"})
    made.having(defaults={"timeout": "2m", "queueTimeout": "10m"})
    return made.python(
        "scan",
        ledger.counted(UNSTEADY),
        inputs={"item": "${item}", "position": "${index}"},
        outputSchema=schema(item="string", position="integer"),
        forEach={"items": "${inputs.pages}", "maxParallel": 6, "tolerate": "2%"},
        retry={"limit": 1, "reasons": ["NodeError"], "backoff": {"initial": "1s"}},
    )


@pytest.mark.alone
def test_sixty_items_while_the_operator_is_killed_three_times(
    space: Space, ledger: Ledger, operator: Operator
) -> None:
    run = space.start(many(ledger, "sixty"))
    for kill in range(1, KILLS + 1):
        until(
            lambda kill=kill: len(ledger.starts(run.uid)) >= MANY * kill // (KILLS + 1),  # type: ignore[misc]
            within=300,
            what=f"the items before kill {kill} have begun",
            seen=run.shown,
        )
        operator.crash(operator.ready())
    seen = run.succeeded(within=600)
    results = [{"item": f"page-{at}", "position": at} for at in range(MANY)]
    assert seen["status"]["outputs"]["seen"] == [
        None if at == BROKEN else each for at, each in enumerate(results)
    ]
    counts = node_of(seen, "scan")["items"]
    assert (counts["succeeded"], counts["failed"]) == (MANY - 1, 1)
    begun = Counter((entry["path"], entry["attempt"]) for entry in ledger.entries(run.uid))
    assert set(begun.values()) == {1}, "no attempt has started twice"
    retried = {path for path, attempt in begun if attempt == 2}
    assert retried >= {f"scan/{at}" for at in (0, BROKEN, 20, 40)}
    assert {path for path, _ in begun} == {f"scan/{at}" for at in range(MANY)}
    run.set(rerun={"round": 2, "from": ["scan/7"]})
    run.until(
        lambda found: (
            found["status"].get("round") == 2
            and condition(found, "Finished").get("status") == "True"
        ),
        what="the second round ends",
        within=120,
    )
    again = {entry["path"] for entry in ledger.entries(run.uid)[begun.total() :]}
    assert again == {"scan/7", f"scan/{BROKEN}"}, "the item that was named, and the one that failed"
