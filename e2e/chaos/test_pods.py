"""A node's pod is taken from under it. All at the same time: each run meets one mishap."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from e2e.chaos.faults import Reach
from e2e.chaos.history import History
from e2e.suite.build import Workflow, workflow
from e2e.suite.kube import Obj
from e2e.suite.ledger import Ledger
from e2e.suite.space import Run, Space, node_of
from e2e.suite.waiting import until

# Only the first attempt is long enough to be met by something.
WORK = """
def run():
    time.sleep(40 if os.environ["WAYPOST_ATTEMPT"] == "1" else 0)
    return "done"
"""
FULL = """
def run():
    if os.environ["WAYPOST_ATTEMPT"] == "1":
        with open("/tmp/much", "wb") as file:
            file.write(bytes(80 * 1024 * 1024))
        time.sleep(120)  # the kubelet measures volumes once a minute
    return "done"
"""
HUNGRY = """
def run():
    if os.environ["WAYPOST_ATTEMPT"] == "1":
        much = bytearray(300 * 1024 * 1024)
    return "done"
"""
TIGHT = {"resources": {"limits": {"memory": "96Mi", "ephemeral-storage": "20Mi"}}}


@dataclass(frozen=True)
class Mishap:
    """`happens`: to the pod of attempt 1; `reason`: what that attempt ends with; `retries`: how
    much of the user's retries it costs."""

    happens: Callable[[Reach, Obj], None]
    reason: str
    retries: int = 0
    work: str = WORK


def by_itself(reach: Reach, pod: Obj) -> None:
    """The program brings it about."""


MISHAPS = {
    "program-killed": Mishap(Reach.program_killed, "NodeError", retries=1),
    "pod-deleted": Mishap(Reach.pod_deleted, "Disrupted"),
    "pod-forced": Mishap(Reach.pod_forced, "Disrupted"),
    "pod-evicted": Mishap(Reach.pod_evicted, "Disrupted"),
    "job-deleted": Mishap(Reach.job_deleted, "Disrupted"),
    "out-of-memory": Mishap(by_itself, "OutOfMemory", retries=1, work=HUNGRY),
    "disk-full": Mishap(by_itself, "OutOfDisk", retries=1, work=FULL),
}


def endangered(name: str, ledger: Ledger) -> Workflow:
    """A node before, the one that meets the mishap, and one after."""
    retry = {"limit": 1, "backoff": {"initial": "1s"}}
    made = workflow(name).having(defaults={"retry": retry, "timeout": "3m"})
    made.python("before", ledger.counted("def run(): return 1"))
    kind = TIGHT if MISHAPS[name].work != WORK else {}
    made.python("work", ledger.counted(MISHAPS[name].work), kind=kind, dependsOn=["before"])
    return made.python("after", ledger.counted("def run(): return 2"), dependsOn=["work"])


@pytest.fixture(scope="module")
def met(judged: History, space: Space, ledger: Ledger, reach: Reach) -> dict[str, Run]:
    """The runs, each after its mishap."""
    runs = {name: space.start(endangered(name, ledger)) for name in MISHAPS}
    for name, run in runs.items():
        if MISHAPS[name].happens is not by_itself:
            until(
                lambda run=run: ledger.entries(run.uid, "work"),  # type: ignore[misc]
                within=60,
                what=f"{name}: the program runs",
            )
            MISHAPS[name].happens(reach, run.running_pod("work"))
    return runs


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", MISHAPS)
def test_attempt_is_lost_the_next_one_counts_and_nothing_else_runs_again(
    met: dict[str, Run], ledger: Ledger, name: str
) -> None:
    mishap, run = MISHAPS[name], met[name]
    work = node_of(run.succeeded(within=150), "work")
    assert [a["reason"] for a in work["attempts"]] == [mishap.reason, "Succeeded"]
    assert work.get("retries", 0) == mishap.retries
    assert ledger.starts(run.uid) == {"before": 1, "work": 2, "after": 1}
