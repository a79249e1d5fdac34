"""Loops on a real cluster: each iteration runs once, also when the operator dies in an iteration or
in a pause, and a loop that reached its limit continues in the next round."""

import pytest

from e2e.suite.build import Workflow, schema, workflow
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Space, node_of

COUNT = """
def run(before, step):
    time.sleep({seconds})
    return {{"sum": before + 10, "step": step}}
"""
INPUTS = {"before": "${previous.?output.?sum.orValue(0)}", "step": "${index}"}


def counting(
    ledger: Ledger, name: str, *, until: str, max_: int, pause: str = "", seconds: float = 0
) -> Workflow:
    """A run whose node `count` adds 10 in each iteration; it returns sum and index."""
    loop = {"until": until, "max": max_, **({"pause": pause} if pause else {})}
    return workflow(name).python(
        "count",
        ledger.counted(COUNT.format(seconds=seconds)),
        inputs=INPUTS,
        outputSchema=schema(sum="integer", step="integer"),
        repeat=loop,
        effect="once",
    )


def test_s145_a_loop_ends_when_its_condition_holds(space: Space, ledger: Ledger) -> None:
    made = counting(ledger, "loop", until="${self.output.sum >= 30}", max_=5)
    run = space.start(made.having(outputs={"seen": "${nodes.count.output}"}))
    seen = run.succeeded()
    assert seen["status"]["outputs"]["seen"] == {"sum": 30, "step": 2}
    assert ledger.starts(run.uid) == {"count/0": 1, "count/1": 1, "count/2": 1}
    keys = {entry["key"] for entry in ledger.entries(run.uid)}
    assert len(keys) == 3, "each iteration has its own idempotency key"


def test_s148_a_loop_at_its_limit_continues_in_the_next_round(space: Space, ledger: Ledger) -> None:
    run = space.start(counting(ledger, "limit", until="${self.output.sum >= 30}", max_=2))
    seen = run.finished()
    assert node_of(seen, "count")["reason"] == "LoopLimit"
    run.set(rerun={"round": 2})
    seen = run.until(
        lambda found: found["status"]["round"] == 2 and found["status"]["phase"] == "Succeeded",
        what="round 2 has succeeded",
    )
    assert ledger.starts(run.uid) == {"count/0": 1, "count/1": 1, "count/2": 1}


@pytest.mark.alone
@pytest.mark.parametrize(
    ("phase", "pause", "seconds"),
    [
        pytest.param("Running", "", 6, id="in an iteration"),
        pytest.param("Backoff", "8s", 0, id="in a pause"),
    ],
)
def test_s144_an_operator_that_dies_repeats_no_iteration(
    space: Space, ledger: Ledger, operator: Operator, phase: str, pause: str, seconds: float
) -> None:
    until = "${self.output.step >= 1}"
    name = f"killed-{phase.lower()}"
    run = space.start(counting(ledger, name, until=until, max_=3, pause=pause, seconds=seconds))
    wakes = run.reaches("count", phase).get("wakeAt")
    operator.crash(operator.ready())
    operator.ready()
    if pause:
        assert run.node("count").get("wakeAt", wakes) == wakes, "the pause ends as recorded"
    seen = run.succeeded()
    assert ledger.starts(run.uid) == {"count/0": 1, "count/1": 1}
    first, second = node_of(seen, "count")["attempts"][-2:]
    if wakes:
        assert first["finishedAt"] < wakes <= second["launchedAt"]
