"""Sub-workflows on a real cluster: three levels of runs survive kill, cancel and rerun, and nothing
is left behind."""

from typing import Any

import pytest

from e2e.suite.build import Obj, workflow
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Run, Space, condition, node_of
from e2e.suite.test_templates import body, node, template
from e2e.suite.waiting import until

RUNS = "agentworkflows"
ROOT = "waypost.dev/root"
FOREVER = "import time\ndef run(n):\n    time.sleep(600)\n"
SLOW = "def run(n):\n    time.sleep(6)\n    return n * 2\n"


def calls(name: str, of: str, **fields: Any) -> Obj:
    """A node that runs a template as a child run."""
    return {"name": name, "workflow": {"templateRef": {"name": of}}, **fields}


def begin(space: Space, name: str, *nodes: Obj, **fields: Any) -> Run:
    """A run of these nodes."""
    manifest = workflow(name).manifest()
    manifest["spec"] = {"nodes": list(nodes), **fields}
    found = space.create(RUNS, manifest)
    return Run(space, found["metadata"]["name"], found["metadata"]["uid"])


def below(space: Space, run: Run) -> list[Run]:
    """The child runs of a run."""
    found = space.all(RUNS, f"waypost.dev/parent={run.uid}")
    return [Run(space, one["metadata"]["name"], one["metadata"]["uid"]) for one in found]


def child(space: Space, run: Run) -> Run:
    """The only child run of a run, once it exists."""
    return until(
        lambda: next(iter(below(space, run)), None), within=30, what=f"{run.name} has a child run"
    )


def tree(space: Space, name: str, leaf: str) -> Run:
    """Three levels: the leaf has one program."""
    work = node("work", leaf, inputs={"n": "${inputs.n}"})
    number = {"type": "object", "properties": {"n": {"type": "integer"}}}
    shared: Obj = {"inputSchema": number}
    template(space, f"{name}-leaf", body(work, outputs={"n": "${nodes.work.output}"}, **shared))
    deeper = calls("deep", f"{name}-leaf", inputs={"n": "${inputs.n}"})
    template(
        space, f"{name}-middle", body(deeper, outputs={"n": "${nodes.deep.output.n}"}, **shared)
    )
    top = calls("check", f"{name}-middle", inputs={"n": 4})
    return begin(space, name, top, outputs={"n": "${nodes.check.output.n}"})


def nothing_is_left(space: Space, run: Run) -> None:
    """Delete a run; everything below it goes."""
    runs = [run.uid, *(one["metadata"]["uid"] for one in space.all(RUNS, f"{ROOT}={run.uid}"))]
    space.delete(RUNS, run.name)

    def left() -> list[str]:
        found = space.all(RUNS, f"{ROOT}={run.uid}")
        for plural in ("jobs", "pods", "approvals", "noderecords"):
            for uid in runs:
                found += space.all(plural, f"waypost.dev/run={uid}")
        return [one["metadata"]["name"] for one in found]

    until(lambda: not left(), within=90, what="nothing is left", seen=left)
    assert space.get(RUNS, run.name) is None


@pytest.mark.alone
def test_s202_three_levels_survive_a_killed_operator(
    space: Space, ledger: Ledger, operator: Operator
) -> None:
    run = tree(space, "killed", ledger.counted(SLOW))
    middle = child(space, run)
    operator.crash(operator.ready())
    leaf = child(space, middle)
    leaf.reaches("work", "Running")
    operator.crash(operator.ready())
    operator.ready()
    seen = run.succeeded()
    assert seen["status"]["outputs"] == {"n": 8}
    assert ledger.starts(leaf.uid) == {"work": 1}
    assert len(below(space, run)) == len(below(space, middle)) == 1
    nothing_is_left(space, run)


def test_s206_cancel_reaches_the_last_level(space: Space) -> None:
    run = tree(space, "cancelled", FOREVER)
    leaf = child(space, child(space, run))
    leaf.reaches("work", "Running")
    run.set(cancel=True)
    seen = run.finished()
    assert seen["status"]["phase"] == "Cancelled"
    ended = leaf.read()
    assert ended["status"]["phase"] == "Cancelled"
    assert "cancel" not in ended["spec"]
    nothing_is_left(space, run)


def test_s207_a_rerun_continues_the_children(space: Space, ledger: Ledger) -> None:
    once = "import os\ndef run(n):\n    assert os.environ['WAYPOST_ATTEMPT'] != '1'\n    return n\n"
    first = node("first", ledger.counted("def run():\n    return 1\n"))
    second = node(
        "second",
        ledger.counted(once),
        inputs={"n": "${nodes.first.output}"},
    )
    template(space, "again-leaf", body(first, second, outputs={"n": "${nodes.second.output}"}))
    template(
        space,
        "again-middle",
        body(calls("deep", "again-leaf"), outputs={"n": "${nodes.deep.output.n}"}),
    )
    run = begin(
        space, "again", calls("check", "again-middle"), outputs={"n": "${nodes.check.output.n}"}
    )
    seen = run.finished()
    assert node_of(seen, "check")["reason"] == "ChildFailed"
    run.set(rerun={"round": 2})
    seen = run.until(
        lambda found: (
            found["status"].get("round") == 2
            and condition(found, "Finished").get("status") == "True"
        ),
        what="round 2 has finished",
    )
    assert seen["status"]["outputs"] == {"n": 1}
    leaf = child(space, child(space, run))
    assert ledger.starts(leaf.uid) == {"first": 1, "second": 2}
    assert leaf.read()["status"]["round"] == 2
    nothing_is_left(space, run)


def test_s208_a_gate_below_is_seen_above(space: Space) -> None:
    question = {
        "name": "ok",
        "approval": {"message": "Go on?", "approvers": {"users": ["ann"]}},
    }
    template(space, "asks-leaf", body(question, outputs={"o": "${nodes.ok.output.decision}"}))
    template(
        space,
        "asks-middle",
        body(calls("deep", "asks-leaf"), outputs={"o": "${nodes.deep.output.o}"}),
    )
    run = begin(
        space, "asks", calls("check", "asks-middle"), outputs={"o": "${nodes.check.output.o}"}
    )
    seen = run.until(
        lambda found: str(found.get("status", {}).get("waiting", "")).startswith("approval/"),
        what="the gate shows",
    )
    approval = seen["status"]["waiting"].removeprefix("approval/")
    assert approval in condition(seen, "AwaitingApproval")["message"]
    space.answer(approval, decision="Approved")
    assert run.succeeded()["status"]["outputs"] == {"o": "Approved"}
    nothing_is_left(space, run)


def test_s205_a_deleted_child_fails_its_node(space: Space) -> None:
    run = tree(space, "removed", FOREVER)
    middle = child(space, run)
    child(space, middle).reaches("work", "Running")
    space.delete(RUNS, middle.name)
    seen = run.finished()
    assert node_of(seen, "check")["reason"] == "ChildDeleted"
    until(lambda: not below(space, run), within=90, what="the child run is gone")
    nothing_is_left(space, run)
