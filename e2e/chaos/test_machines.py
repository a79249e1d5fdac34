"""The machine that a node runs on is drained, loses its kubelet, its power, its network."""

from collections.abc import Iterator

import pytest

from e2e.chaos.history import History
from e2e.chaos.second import Second
from e2e.suite.build import Workflow, workflow
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Run, Space, node_of
from e2e.suite.test_results_kept import STUBBORN
from e2e.suite.waiting import until

# The first attempt lasts, the next one does not.
LONG = """
def run():
    time.sleep(60 if os.environ["WAYPOST_ATTEMPT"] == "1" else 0)
    return os.environ["WAYPOST_ATTEMPT"]
"""
HELD = """
def run():
    held()
    return os.environ["WAYPOST_ATTEMPT"]
"""


def there(space: Space, second: Second, ledger: Ledger, *made: Workflow) -> list[Run]:
    """The runs, whose node `work` is running on the second machine."""
    with second.taking_all():
        runs = [space.start(one) for one in made]
        for run in runs:
            until(
                lambda run=run: ledger.entries(run.uid, "work"),  # type: ignore[misc]
                within=60,
                what=f"{run.name}: its program runs",
            )
    for run in runs:
        assert run.running_pod("work")["spec"]["nodeName"] == second.machine.node
    return runs


def test_drain_moves_what_runs_and_takes_no_result(
    judged: History, space: Space, ledger: Ledger, second: Second, runner: str
) -> None:
    moved, kept = there(
        space,
        second,
        ledger,
        workflow("moved").python("work", ledger.counted(LONG)),
        workflow("kept").container("work", runner, ledger.counted(STUBBORN)),
    )
    until(
        lambda: [e for e in ledger.entries(kept.uid) if e["what"] == "ready"],
        within=30,
        what="the stubborn program ignores SIGTERM",
    )
    second.drain()
    work = node_of(moved.succeeded(), "work")
    assert (work["output"], work["attempts"][0]["reason"]) == ("2", "Disrupted")
    assert "EvictionByEvictionAPI" in work["attempts"][0]["message"]
    assert "retries" not in work
    work = node_of(kept.succeeded(), "work")
    assert (work["output"], work["attempt"]) == ("finished in its grace", 1)


def test_result_of_a_program_that_ended_while_its_kubelet_was_dead_is_taken(
    judged: History, space: Space, ledger: Ledger, second: Second
) -> None:
    made = workflow("unseen").python("work", ledger.counted(HELD))
    [run] = there(space, second, ledger, made)
    second.machine.kill_kubelet()
    ledger.release(run.uid)
    uid = run.pods("work")[0]["metadata"]["uid"]
    until(lambda: not second.programs_of(uid), within=20, what="the program has ended")
    assert "outputDigest" not in run.node("work")
    second.machine.start()
    work = node_of(run.succeeded(), "work")
    assert (work["output"], work["attempt"]) == ("1", 1)


def test_machine_without_power_for_a_moment_has_disturbed_its_nodes(
    judged: History, space: Space, ledger: Ledger, second: Second
) -> None:
    [run] = there(space, second, ledger, workflow("powered").python("work", ledger.counted(LONG)))
    second.machine.stop()
    second.machine.start()
    work = node_of(run.succeeded(within=90), "work")
    assert (work["output"], work["attempts"][0]["reason"]) == ("2", "Disrupted")


# Longer than it takes until the machine is given up; what it returns must not count.
ZOMBIE = """
def run():
    time.sleep(90 if os.environ["WAYPOST_ATTEMPT"] == "1" else 0)
    return os.environ["WAYPOST_ATTEMPT"]
"""


@pytest.fixture
def impatient(operator: Operator) -> Iterator[None]:
    """An operator that gives machines up 2 s after the cluster has noticed, in place of the five
    minutes of the installed one."""
    operator.scale(0)
    pod = operator.twin("impatient", WAYPOST_NODE_LOST_SECONDS="2")
    yield
    operator.remove(pod)
    operator.scale()


@pytest.mark.timeout(300)
def test_what_a_lost_machine_ran_is_replaced_and_stopped_when_it_returns(
    judged: History, space: Space, ledger: Ledger, second: Second, impatient: None
) -> None:
    safe, once = there(
        space,
        second,
        ledger,
        workflow("safe").python("work", ledger.counted(ZOMBIE)),
        workflow("once").python("work", ledger.counted(ZOMBIE), effect="once"),
    )
    zombie = safe.pods("work")[0]["metadata"]["uid"]
    second.machine.cut_off()
    second.is_lost()
    work = node_of(safe.succeeded(within=60), "work")
    assert (work["output"], [a["reason"] for a in work["attempts"]]) == (
        "2",
        ["NodeLost", "Succeeded"],
    )
    assert node_of(once.finished(within=30), "work")["reason"] == "UnknownEffect"
    assert second.programs_of(zombie), "it runs on where nobody can reach it"
    done = safe.read()["status"]
    second.machine.start()
    until(lambda: not second.programs_of(zombie), within=60, what="the machine stops it")
    assert safe.read()["status"] == done
    assert ledger.starts(safe.uid) == {"work": 2}
    assert ledger.starts(once.uid) == {"work": 1}
