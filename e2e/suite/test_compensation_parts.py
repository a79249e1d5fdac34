"""Compensation of loops, and by child runs, on a real cluster."""

from typing import Any

import pytest

from e2e.suite.build import Workflow, workflow
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Run, Space, condition, node_of
from e2e.suite.test_children import below

LAST = 'def run():\n    raise RuntimeError("sold out")\n'
STEP = "def run(id):\n    time.sleep(SECONDS)\n    return id\n"


def tenant(name: str, ledger: Ledger, *, seconds: float = 0.1) -> Workflow:
    """A node whose effect is undone in two steps, by a child run, and a node that fails."""
    source = ledger.counted(STEP.replace("SECONDS", str(seconds)))
    steps: list[dict[str, Any]] = [
        {"name": "dismiss", "python": {"source": source}, "inputs": {"id": "${inputs.id}"}},
        {
            "name": "remove",
            "python": {"source": source},
            "inputs": {"id": "${inputs.id}"},
            "dependsOn": ["dismiss"],
        },
    ]
    takes = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    made = workflow(name).having(
        templates=[{"name": "dissolve", "inputSchema": takes, "nodes": steps}]
    )
    undo = {"inputs": {"id": "${self.output.id}"}, "workflow": {"template": "dissolve"}}
    made = made.python("tenant", "def run():\n    return {'id': 't-1'}\n", compensate=undo)
    return made.python("last", LAST, dependsOn=["tenant"])


def undoing_child(space: Space, run: Run) -> Run:
    """The child run of the compensation."""
    (found,) = below(space, run)
    return found


def test_s501_a_child_run_undoes_a_node(space: Space, ledger: Ledger) -> None:
    run = space.start(tenant("tenant", ledger))
    seen = run.finished(within=120)
    assert seen["status"]["phase"] == "Failed"
    assert condition(seen, "CompensationSucceeded")["status"] == "True"
    child = undoing_child(space, run)
    assert node_of(seen, "tenant/compensate")["child"]["name"] == child.name
    found = child.read()
    assert (found["status"]["phase"], found["spec"]["inputs"]) == ("Succeeded", {"id": "t-1"})
    assert ledger.starts(child.uid) == {"dismiss": 1, "remove": 1}


@pytest.mark.alone
def test_s501_an_operator_killed_while_a_child_run_undoes_starts_no_second_one(
    space: Space, ledger: Ledger, operator: Operator
) -> None:
    run = space.start(tenant("tenant-killed", ledger, seconds=4))
    for _ in range(2):
        run.reaches("tenant/compensate", "Running")
        operator.crash(operator.ready())
        operator.ready()
    seen = run.finished(within=180)
    assert condition(seen, "CompensationSucceeded")["status"] == "True"
    assert ledger.starts(undoing_child(space, run).uid) == {"dismiss": 1, "remove": 1}


def test_s616_the_iterations_of_a_loop_are_undone_newest_first(
    space: Space, ledger: Ledger
) -> None:
    source = ledger.counted("def run(before):\n    return {'n': before + 1}\n")
    undo = {
        "inputs": {"n": "${self.output.n}", "before": "${self.inputs.before}", "at": "${index}"},
        "python": {"source": ledger.counted("def run(n, before, at):\n    time.sleep(1.2)\n")},
    }
    made = workflow("deliveries").python(
        "deliver",
        source,
        repeat={"until": "${self.output.n >= 3}", "max": 5},
        inputs={"before": "${previous.?output.?n.orValue(0)}"},
        outputSchema={
            "type": "object",
            "required": ["n"],
            "properties": {"n": {"type": "integer"}},
        },
        compensate=undo,
    )
    run = space.start(made.python("last", LAST, dependsOn=["deliver"]))
    seen = run.finished(within=120)
    undone = node_of(seen, "deliver/compensate")
    assert (undone["phase"], undone["items"]["succeeded"]) == ("Succeeded", 3)
    items = [f"deliver/compensate/{index}" for index in range(3)]
    starts = ledger.starts(run.uid)
    assert {path: starts[path] for path in items} == dict.fromkeys(items, 1)
    jobs = [job for path in items for job in run.jobs(path.replace("/", "."))]
    made_at = [job["metadata"]["creationTimestamp"] for job in jobs]  # in whole seconds
    assert made_at == sorted(set(made_at)), "one after another"
