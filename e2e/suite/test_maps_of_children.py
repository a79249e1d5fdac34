"""Maps whose items are child runs, on a real cluster: each program runs once although the operator
dies, a round continues what failed, and nothing is left behind (S410, S411, S417)."""

import pytest

from e2e.suite.build import Obj
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Run, Space, condition, node_of
from e2e.suite.test_children import RUNS, begin, below, nothing_is_left
from e2e.suite.test_templates import body, node, template
from e2e.suite.waiting import until

LIST = [10, 11, 12, 13]
FAILS = 12  # its second program fails in round 1
SECOND = f"""
def run(n, double):
    if n == {FAILS} and int(os.environ["WAYPOST_ATTEMPT"]) == 1:
        raise RuntimeError(f"no {{n}}")
    return double
"""


def scan(space: Space, ledger: Ledger, name: str) -> Run:
    """A map over four numbers: a child run with two programs doubles each."""
    first = node("first", ledger.counted("def run(n):\n    return n * 2\n"))
    first["inputs"] = {"n": "${inputs.n}"}
    inputs = {"n": "${inputs.n}", "double": "${nodes.first.output}"}
    second = node("second", ledger.counted(f"import os\n{SECOND}"), inputs=inputs)
    number = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    outputs = {"double": "${nodes.second.output}"}
    template(space, f"{name}-pair", body(first, second, inputSchema=number, outputs=outputs))
    each: Obj = {
        "name": "scan",
        "forEach": {"items": "${inputs.list}", "maxParallel": 2, "tolerate": 0},
        "workflow": {"templateRef": {"name": f"{name}-pair"}},
        "inputs": {"n": "${item}"},
    }
    given = {"list": [FAILS, *(n for n in LIST if n != FAILS)]}
    return begin(space, name, each, inputs=given, outputs={"got": "${nodes.scan.output}"})


def in_round(run: Run, number: int) -> Obj:
    """The run once a round has ended."""
    return run.until(
        lambda found: (
            found["status"].get("round") == number
            and condition(found, "Finished").get("status") == "True"
        ),
        what=f"round {number} has finished",
    )


@pytest.mark.alone
def test_s411_a_map_of_child_runs_survives_a_killed_operator_and_continues(
    space: Space, ledger: Ledger, operator: Operator
) -> None:
    run = scan(space, ledger, "pairs")
    until(lambda: below(space, run), within=30, what="a child run exists")
    operator.crash(operator.ready())
    operator.ready()
    seen = run.finished()
    assert node_of(seen, "scan")["reason"] == "ItemsFailed"

    run.set(inputs={"list": LIST}, rerun={"round": 2})
    until(lambda: run.read()["status"].get("round") == 2, within=30, what="round 2 begins")
    operator.crash(operator.ready())
    operator.ready()
    seen = in_round(run, 2)
    assert seen["status"]["outputs"]["got"] == [{"double": 2 * n} for n in LIST]
    starts = [ledger.starts(one.uid) for one in below(space, run)]
    assert len(starts) == len(LIST), "an item that failed has continued its child run"
    assert sorted(one["second"] for one in starts) == [1, 1, 1, 2]
    assert [one["first"] for one in starts] == [1, 1, 1, 1]

    run.set(rerun={"round": 3, "from": ["scan/1"]})
    seen = in_round(run, 3)
    assert seen["status"]["outputs"]["got"] == [{"double": 2 * n} for n in LIST]
    assert len(below(space, run)) == len(LIST) + 1
    assert not [one for one in space.all(RUNS) if one["metadata"].get("deletionTimestamp")]
    nothing_is_left(space, run)
