"""A quota on object counts refuses what a run must write: the run says so, its other nodes go on,
and cancel, timeouts and deadlines still end it."""

import pytest

from e2e.suite.build import Workflow, workflow
from e2e.suite.kube import Obj
from e2e.suite.space import Run, Space, condition, node_of
from e2e.suite.test_quota import quota
from e2e.suite.waiting import until

NAMED_WITHIN = 30.0
WORDS = "exceeded quota: tight"
LISTING = "return ['file-%04d' % n for n in range(250)]"  # 3 KiB: kept in a NodeRecord
TOO_LARGE = "return 'x' * 20000"  # stored through the gateway
FIVE_TIMES = (
    "${nodes.make.output" + " + nodes.make.output" * 4 + "}"
)  # inputs that need a ConfigMap


def listing(name: str) -> Workflow:
    return workflow(name).python("list_files", LISTING)


def beside_others(name: str) -> Workflow:
    """The refused node beside a wait, a node after that, and a node that runs out of time."""
    return (
        listing(name)
        .having(deadline="100s")
        .wait("pause", "5s")
        .python("unrelated", "return 1", dependsOn=["pause"])
        .python("slow", "import time\ntime.sleep(600)", timeout="15s", onFailure="Continue")
    )


def large_inputs(name: str) -> Workflow:
    return (
        workflow(name)
        .python("make", "return 'x' * 1900")
        .python("take", "return len(a)", inputs={"a": FIVE_TIMES}, queueTimeout="20s")
    )


RUNS = {
    "lifted": listing("lifted"),
    "cancelled": listing("cancelled"),
    "beside": beside_others("beside"),
    "gate": workflow("gate").approval("sign_off", gate={"timeout": "40s"}),
    "inputs": large_inputs("inputs"),
    "large": workflow("large").python("crawl", TOO_LARGE),
}


@pytest.fixture(scope="module")
def started(space: Space) -> dict[str, Run]:
    """All of them under one quota: their clocks run side by side."""
    kinds = ("noderecords.waypost.dev", "approvals.waypost.dev")
    counts = {f"count/{kind}": "0" for kind in kinds}
    # One ConfigMap is there in every namespace: the cluster's certificate.
    space.create("resourcequotas", quota(**counts, **{"count/configmaps": "1"}))
    until(
        lambda: (space.get("resourcequotas", "tight") or {}).get("status", {}).get("used"),
        within=30,
        what="the quota has been counted",
    )
    return {name: space.start(made) for name, made in RUNS.items()}


def reported(run: Run, path: str, reason: str) -> Obj:
    """The node as soon as it names the trouble in the API server's words."""
    node = run.troubled(path, reason, within=NAMED_WITHIN)
    assert WORDS in node["message"]
    return node


def test_a_question_that_cannot_be_asked_says_so_and_expires(started: dict[str, Run]) -> None:
    """The first test of this module: the gate expires soon."""
    run = started["gate"]
    assert reported(run, "sign_off", "LaunchRejected")["phase"] == "Waiting"
    ended = node_of(run.finished(within=60), "sign_off")
    assert (ended["phase"], ended["reason"]) == ("Failed", "ApprovalExpired")
    assert WORDS in ended["message"], "nobody could be asked"


def test_a_run_whose_result_is_refused_says_so_and_can_be_cancelled(
    started: dict[str, Run],
) -> None:
    run = started["cancelled"]
    assert reported(run, "list_files", "RecordRejected")["phase"] == "Running"
    run.set(cancel=True)
    seen = run.finished(within=60)
    assert condition(seen, "Succeeded")["reason"] == "Cancelled"


def test_other_nodes_timeouts_and_the_deadline_of_the_run_go_on(started: dict[str, Run]) -> None:
    run = started["beside"]
    reported(run, "list_files", "RecordRejected")
    run.reaches("unrelated", "Succeeded")
    assert run.reaches("slow", "Failed")["reason"] == "Timeout"
    seen = run.finished(within=120)
    assert condition(seen, "Succeeded")["reason"] == "DeadlineExceeded"


def test_inputs_that_need_a_config_map_say_so_and_end(started: dict[str, Run]) -> None:
    ended = node_of(started["inputs"].finished(within=120), "take")
    assert ended["phase"] == "Failed"
    assert WORDS in ended["message"]


def test_a_result_the_gateway_cannot_store_is_lost_with_the_cause(started: dict[str, Run]) -> None:
    ended = node_of(started["large"].finished(within=120), "crawl")
    assert (ended["phase"], ended["reason"]) == ("Failed", "ResultLost")
    assert WORDS in ended["message"]


def test_a_refused_result_is_kept_until_the_quota_is_lifted(
    started: dict[str, Run], space: Space
) -> None:
    """The last test of this module: it removes the quota."""
    run = started["lifted"]
    reported(run, "list_files", "RecordRejected")
    for other in ("beside", "gate", "inputs", "large"):
        started[other].finished(within=120)
    space.delete("resourcequotas", "tight")
    seen = node_of(run.succeeded(within=120), "list_files")
    assert seen["attempt"] == 1, "its program ran once"
