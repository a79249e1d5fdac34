"""What carries a run is killed under it: the gateway, the API server, etcd."""

from collections.abc import Callable

import pytest

from e2e.chaos.faults import Reach
from e2e.chaos.history import History
from e2e.suite.build import Workflow, workflow
from e2e.suite.ledger import Ledger
from e2e.suite.space import Space, node_of
from e2e.suite.waiting import until

# Too big for a commit record: it goes through the gateway, which is down by then.
BIG = """
def run():
    time.sleep(2)
    return "x" * 6000
"""
CARRIERS: dict[str, Callable[[Reach], None]] = {
    "gateway": Reach.gateway_killed,
    "api-server": Reach.api_server_killed,
    "etcd": Reach.etcd_killed,
}


def carried(name: str, ledger: Ledger) -> Workflow:
    """A result of each size, and a gate."""
    made = workflow(name).python("small", ledger.counted("def run():\n    return 1\n"))
    made.python("big", ledger.counted(BIG), dependsOn=["small"])
    made.approval("gate", dependsOn=["big"])
    count = ledger.counted("def run(text):\n    return len(text)\n")
    return made.python("count", count, inputs={"text": "${nodes.big.output}"}, dependsOn=["gate"])


@pytest.mark.parametrize("name", CARRIERS)
def test_runs_go_on_where_they_were_once_it_is_back(
    judged: History, space: Space, ledger: Ledger, reach: Reach, name: str
) -> None:
    run = space.start(carried(name, ledger))
    until(lambda: ledger.entries(run.uid, "big"), within=40, what="the big result is being made")
    CARRIERS[name](reach)
    run.reaches("big", "Succeeded", within=90)
    run.opened("gate")
    CARRIERS[name](reach)
    run.answer("gate", decision="Approved")
    seen = run.succeeded(within=90)
    assert node_of(seen, "count")["output"] == 6000
    assert ledger.starts(run.uid) == {"small": 1, "big": 1, "count": 1}
