"""What the kubelet writes where it measured nothing (a start in 1970, exit code 137 without times)
is not taken for a program that ran."""

import re
import sys
from typing import Any

import pytest

from e2e.suite.build import Obj, Workflow, workflow
from e2e.suite.operators import Operator
from e2e.suite.space import Run, Space, node_of
from e2e.suite.test_providers import secret

ABSENT = "/usr/local/bin/charge-card"  # a program that no image of ours has
QUEUE = 15.0
ANSWERED = "import os\nopen(os.environ['WAYPOST_OUTPUT'], 'w').write('1')"
YEAR = 365 * 86400.0


def absent_program(name: str, image: str, **fields: Any) -> Workflow:
    block = {"image": image, "command": [ABSENT]}
    return workflow(name).node("charge", container=block, **fields)


def test_a_program_that_cannot_be_started_has_no_start_and_no_duration(
    space: Space, runner: str, operator: Operator
) -> None:
    retry = {"limit": 1, "backoff": {"initial": "1s"}}
    run = space.start(absent_program("no-program", runner, retry=retry))
    node = node_of(run.finished(), "charge")
    assert (node["phase"], node["reason"], node["attempt"]) == ("Failed", "NodeError", 2)
    assert "StartError" in node["message"]
    assert "no such file or directory" in node["message"]
    assert not [attempt for attempt in node["attempts"] if "startedAt" in attempt]
    assert "1970" not in run.shown()
    trace = space.kube.must(
        sys.executable,
        *("-m", "waypost", "trace", "no-program", "-n", space.name),
        *("--kubeconfig", str(space.kube.kubeconfig)),
    )
    shown = trace.replace(space.name, "")  # its random digits may look like days
    assert not re.search(r"\d{3}d", shown), "no duration of years"
    sums = {k: v for k, v in operator.metrics().items() if "_seconds_sum" in k}
    assert sums, "there are durations"
    assert max(sums.values()) < YEAR


def test_a_program_that_never_ran_is_no_reason_to_refuse_the_next_round(
    space: Space, runner: str
) -> None:
    run = space.start(absent_program("mistyped", runner, effect="once"))
    run.finished()
    right = workflow("mistyped").container("charge", runner, ANSWERED, effect="once")
    run.set(nodes=right.nodes, rerun={"round": 2})
    assert again(run, "charge")["output"] == 1


def again(run: Run, path: str) -> Obj:
    """The checkpoint of a node that succeeded in round 2, without being named in rerun.from."""
    seen = run.until(
        lambda found: (
            found["status"]["round"] == 2 and node_of(found, path)["phase"] == "Succeeded"
        ),
        what=f"node {path} runs in round 2",
    )
    return node_of(seen, path)


def from_secret(name: str) -> dict[str, Any]:
    source = {"secretKeyRef": {"name": name, "key": "password"}}
    return {"env": [{"name": "PASSWORD", "valueFrom": source}]}


@pytest.fixture(scope="module")
def unstarted(space: Space, runner: str) -> dict[str, Run]:
    """Nodes with `effect: once` whose pods cannot start; their clocks run side by side."""
    queue = f"{QUEUE:.0f}s"
    hurry: dict[str, Any] = {"queueTimeout": queue, "effect": "once"}
    post = {
        "method": "POST",  # effect: once by default
        "url": "http://127.0.0.1:9/tickets",
        "auth": {"bearer": {"name": "no-ticket-token", "key": "token"}},
    }
    made = {
        "request": workflow("request").node("work", http=post, queueTimeout=queue),
        "image": workflow("image").container(
            "work", "registry.invalid/team/pusher:1", ANSWERED, **hurry
        ),
        "variable": workflow("variable").container(
            "work", runner, ANSWERED, kind=from_secret("late-password"), **hurry
        ),
    }
    return {name: space.start(flow) for name, flow in made.items()}


# Reason and launches: what only a person can bring is waited for once, for the whole queueTimeout.
ENDS = {
    "request": ("MissingReference", 1),
    "image": ("ImagePull", 3),
    "variable": ("MissingReference", 1),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name", ["request", "variable", pytest.param("image", marks=pytest.mark.nightly)]
)
def test_a_pod_of_a_once_node_that_never_started_is_known_not_to_have_run(
    unstarted: dict[str, Run], name: str
) -> None:
    ended = node_of(unstarted[name].finished(within=(QUEUE + 45) * 3), "work")
    assert (ended["reason"], ended["attempt"]) == ENDS[name]
    assert all(attempt["neverStarted"] for attempt in ended["attempts"])


@pytest.mark.timeout(600)
def test_a_once_node_that_never_started_runs_in_the_next_round(
    unstarted: dict[str, Run], space: Space
) -> None:
    run = unstarted["variable"]
    run.finished(within=(QUEUE + 45) * 3)
    secret(space, "late-password", password="hunter2")
    run.set(rerun={"round": 2})
    assert again(run, "work")["output"] == 1
