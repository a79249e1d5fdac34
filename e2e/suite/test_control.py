"""What a person can do to a run on its way: suspend, resume, cancel, bound its parallelism."""

import pytest

from e2e.suite.build import workflow
from e2e.suite.kube import ApiError
from e2e.suite.ledger import Ledger
from e2e.suite.space import Space, condition, node_of, phases
from e2e.suite.waiting import until

GRACEFUL = """
import signal, sys, time

def leave(number, frame):
    note("sigterm")
    sys.exit(3)

signal.signal(signal.SIGTERM, leave)
note("ready")
time.sleep(50)
"""


def test_suspend_lets_running_nodes_finish_and_starts_nothing_until_resumed(
    space: Space, ledger: Ledger
) -> None:
    run = space.start(
        workflow("suspended")
        .python("now", ledger.counted("def run():\n    held()\n    return 1\n"))
        .python("later", "return 2", dependsOn=["now"])
    )
    run.reaches("now", "Running")
    run.set(suspend=True)
    ledger.release(run.uid)
    run.reaches("now", "Succeeded")
    seen = run.until(lambda s: s["status"]["phase"] == "Suspended", what="shown as suspended")
    assert phases(seen)["later"] == "Pending"
    assert not run.jobs("later")
    run.set(suspend=False)
    run.succeeded()


def test_cancel_gives_pods_sigterm_keeps_checkpoints_and_is_final(
    space: Space, ledger: Ledger, runner: str
) -> None:
    run = space.start(
        workflow("cancelled")
        .python("done", "return 'kept'")
        .container("busy", runner, ledger.counted(GRACEFUL), dependsOn=["done"])
        .approval("gate", dependsOn=["done"])
        .python("never", "return 1", dependsOn=["busy"])
    )
    until(
        lambda: [e for e in ledger.entries(run.uid) if e["what"] == "ready"],
        within=30,
        what="the busy program listens for SIGTERM",
    )
    gate = run.opened("gate")
    run.set(cancel=True)
    seen = run.finished(within=20)
    assert [e["what"] for e in ledger.entries(run.uid)] == ["start", "ready", "sigterm"]
    assert condition(seen, "Succeeded")["reason"] == "Cancelled"
    assert node_of(seen, "done")["output"] == "kept"
    assert [phases(seen)[p] for p in ("busy", "gate", "never")] == ["Cancelled"] * 3
    approval = space.get("approvals", gate) or {}
    assert approval["status"]["state"] == "Withdrawn"
    with pytest.raises(ApiError, match="cancel cannot be undone"):
        run.set(cancel=False)


def test_parallelism_bounds_the_pods_of_a_run(space: Space, ledger: Ledger) -> None:
    source = ledger.counted("def run():\n    held()\n    note('end')\n")
    wide = workflow("narrow").having(parallelism=2)
    for n in range(4):
        wide.python(f"n{n}", source)
    run = space.start(wide)
    ledger.holds(run.uid, programs=2)
    ledger.release(run.uid)
    run.succeeded()
    live = peak = 0
    counted = [e for e in ledger.entries(run.uid) if e["what"] != "held"]
    for entry in sorted(counted, key=lambda e: e["at"]):
        live += 1 if entry["what"] == "start" else -1
        peak = max(peak, live)
    assert peak == 2, "both places were used, and never more"


def test_timeout_ends_a_program_that_hangs(space: Space, ledger: Ledger, runner: str) -> None:
    hang = "import time\ntime.sleep(99)"
    run = space.start(
        workflow("hangs")
        .python("ours", hang, timeout="1s", onFailure="Continue")
        .container("foreign", runner, ledger.counted(GRACEFUL), timeout="2s", onFailure="Continue")
    )
    seen = run.succeeded(within=40)
    for path in ("ours", "foreign"):
        assert node_of(seen, path)["reason"] == "Timeout", path


def test_deadline_of_a_node_ends_a_program_that_may_run_longer(space: Space) -> None:
    hang = "import time\ntime.sleep(99)"
    run = space.start(
        workflow("node-deadline").python(
            "slow", hang, timeout="90s", deadline="5s", retry={"limit": 5}, onFailure="Continue"
        )
    )
    slow = node_of(run.succeeded(within=40), "slow")
    assert (slow["phase"], slow["reason"], slow["attempt"]) == ("Failed", "DeadlineExceeded", 1)


def test_deadline_of_a_run_ends_programs_and_questions(
    space: Space, ledger: Ledger, runner: str
) -> None:
    run = space.start(
        workflow("run-deadline")
        .having(deadline="25s")
        .python("done", "return 'kept'")
        .container("busy", runner, ledger.counted(GRACEFUL), timeout="90s")
        .approval("gate")
    )
    gate = run.opened("gate")
    seen = run.finished(within=60)
    assert condition(seen, "Succeeded")["reason"] == "DeadlineExceeded"
    assert seen["status"]["phase"] == "Failed"
    assert node_of(seen, "done")["output"] == "kept"
    assert [phases(seen)[p] for p in ("busy", "gate")] == ["Cancelled"] * 2
    assert [e["what"] for e in ledger.entries(run.uid)][-1] == "sigterm"
    assert (space.get("approvals", gate) or {})["status"]["state"] == "Withdrawn"


def test_accepted_run_is_immutable_and_the_message_says_what_may_change(space: Space) -> None:
    run = space.start(workflow("frozen-spec").wait("pause", "60s"))
    run.reaches("pause", "Waiting")
    with pytest.raises(ApiError, match=r"found a change of .*inputs.*Create a new run"):
        run.set(inputs={"late": 1})
    run.set(cancel=True)
    run.finished()
