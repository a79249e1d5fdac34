"""Finally on a real cluster: it runs after a success, a failure, a cancel and the deadline, and an
operator that dies meanwhile changes nothing."""

from typing import Any

import pytest

from e2e.suite.build import Obj, Workflow, workflow
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Space, condition, node_of

WORK = """
def run():
    if os.environ["WAYPOST_RUN"] in ("cancelled", "late"):
        time.sleep(50)
    if os.environ["WAYPOST_RUN"] == "failed":
        raise RuntimeError("the load test failed")
    return {"id": 7}
"""
SEEN = {
    "phase": "${run.phase}",
    "reason": "${run.reason}",
    "failed": "${run.failures.map(f, f.node)}",
    "id": "${nodes.work.?output.?id.orValue(0)}",
}
CLEAN = "def run(phase, reason, failed, id):\n    return [phase, reason, failed, id]\n"
ENDS = {
    "succeeded": ("Succeeded", "Completed", [], 7),
    "failed": ("Failed", "NodeError", ["work"], 0),
    "cancelled": ("Cancelled", "Cancelled", [], 0),
    "late": ("Failed", "DeadlineExceeded", [], 0),
}


def cleaning(made: Workflow, *last: Obj, **fields: Any) -> Workflow:
    return made.having(**{"finally": list(last), **fields})


def clean_up(source: str, **fields: Any) -> Obj:
    return {"name": "clean", "python": {"source": source}, **fields}


@pytest.mark.parametrize("name", ENDS)
def test_s120_finally_runs_however_a_run_ends(space: Space, ledger: Ledger, name: str) -> None:
    phase, reason, failed, made = ENDS[name]
    last = clean_up(ledger.counted(CLEAN), inputs=SEEN)
    fields = {"deadline": "12s"} if name == "late" else {}
    work = workflow(name).python("work", ledger.counted(WORK))
    run = space.start(cleaning(work, last, outputs={"seen": "${nodes.clean.output}"}, **fields))
    if name == "cancelled":
        run.reaches("work", "Running")
        run.set(cancel=True)
    seen = run.finished()
    status = seen["status"]
    assert (status["phase"], condition(seen, "Succeeded")["reason"]) == (phase, reason)
    # First: without the output of `clean` the run has no outputs, and the condition says why.
    cleaned = condition(seen, "FinallySucceeded")
    assert cleaned["status"] == "True", cleaned["message"]
    assert status["outputs"]["seen"] == [phase, reason, failed, made]
    assert (status["stage"], status["verdict"]["phase"]) == ("Finalizing", phase)
    # The kubelet stamps whole seconds.
    ends = [attempt["finishedAt"][:19] for attempt in node_of(seen, "work").get("attempts", [])]
    assert node_of(seen, "clean")["attempts"][0]["startedAt"][:19] >= max(ends, default="")
    assert ledger.starts(run.uid)["clean"] == 1


@pytest.mark.alone
def test_s120_an_operator_killed_during_finally_runs_it_once(
    space: Space, ledger: Ledger, operator: Operator
) -> None:
    slow = "def run():\n    time.sleep(6)\n    return 'done'\n"
    last = clean_up(ledger.counted(slow), effect="once")
    later: Obj = {**clean_up(ledger.counted("def run():\n    return 1\n")), "name": "later"}
    made = workflow("killed").python("work", "return 1")
    run = space.start(cleaning(made, last, {**later, "dependsOn": ["clean"]}))
    run.reaches("clean", "Running")
    verdict = run.read()["status"]["verdict"]
    operator.crash(operator.ready())
    operator.ready()
    seen = run.succeeded()
    assert seen["status"]["verdict"] == verdict
    assert ledger.starts(run.uid) == {"clean": 1, "later": 1}


def test_s125_skip_finally_stops_it(space: Space) -> None:
    hangs = clean_up("import time\n\ndef run():\n    time.sleep(50)\n")
    run = space.start(cleaning(workflow("skipped").python("work", "return 1"), hangs))
    run.reaches("clean", "Running")
    run.set(cancel=True)
    run.until(
        lambda seen: "skipFinally" in condition(seen, "Finished")["message"],
        what="it says how to stop finally",
    )
    assert run.node("clean")["phase"] == "Running"
    run.set(skipFinally=True)
    seen = run.finished(within=30)
    assert seen["status"]["phase"] == "Succeeded", "the verdict stays"
    assert condition(seen, "FinallySucceeded")["reason"] == "FinallySkipped"
