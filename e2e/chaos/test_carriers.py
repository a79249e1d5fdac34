"""What carries a run is killed under it: the gateway, the API server, etcd."""

from collections.abc import Callable

import pytest

from e2e.chaos.faults import Reach
from e2e.chaos.history import History
from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.build import Workflow, workflow
from e2e.suite.conversation import ANSWERS, answers, conversation, done, script
from e2e.suite.ledger import Ledger
from e2e.suite.space import Run, Space, node_of
from e2e.suite.test_providers import provider
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
# Each time that the API server goes within two minutes, Kubernetes' own controllers wait twice as
# long before they look again, up to a minute (client-go, reflector.go). So one outage serves a run
# at its gate and an agent.
WITH_AN_AGENT = "api-server"
PATIENCE = 150


def carried(name: str, ledger: Ledger) -> Workflow:
    """A result of each size, and a gate."""
    made = workflow(name).python("small", ledger.counted("def run():\n    return 1\n"))
    made.python("big", ledger.counted(BIG), dependsOn=["small"])
    made.approval("gate", dependsOn=["big"])
    count = ledger.counted("def run(text):\n    return len(text)\n")
    return made.python("count", count, inputs={"text": "${nodes.big.output}"}, dependsOn=["gate"])


@pytest.fixture(scope="module")
def models(space: Space, cluster: api.Cluster, reach: Reach) -> str:
    """Name of a ModelProvider whose answers take their time for one tool call."""
    scripts = {f"talk-{name}": script(look=5) for name in ("gateway", WITH_AN_AGENT)}
    image = cluster.images["operator"]
    provider(space, "scripted", baseURL=outside.start_models(space, image, scripts))
    return "scripted"


def talking(space: Space, ledger: Ledger, models: str, name: str) -> Run:
    """A run whose agent is in its first tool."""
    run = space.start(conversation(f"talk-{name}", models, ledger))
    what = "the agent is in its first tool"
    until(lambda: done(ledger, run)["look"], within=PATIENCE, what=what, seen=run.shown)
    return run


def assert_one_conversation(space: Space, ledger: Ledger, run: Run) -> None:
    """Its journal was out of reach for a while: the attempt waited, and no call was made twice."""
    seen = run.succeeded(within=PATIENCE)
    node = node_of(seen, "a")
    assert (node["attempt"], node["output"]) == (1, {"sent": "hello"})
    assert node["usage"]["modelCalls"] == answers(space, run) == ANSWERS
    reported = done(ledger, run)
    assert (reported["look"], reported["send"]) == (1, 1)


def test_an_agent_goes_on_in_its_conversation_without_the_gateway(
    judged: History, space: Space, ledger: Ledger, reach: Reach, models: str
) -> None:
    """The kubelet lets a gateway that was killed often wait longer than an agent does."""
    run = talking(space, ledger, models, "gateway")
    reach.gateway_replaced()
    assert_one_conversation(space, ledger, run)


@pytest.mark.parametrize("name", CARRIERS)
def test_runs_go_on_where_they_were_once_it_is_back(
    judged: History, space: Space, ledger: Ledger, reach: Reach, models: str, name: str
) -> None:
    run = space.start(carried(name, ledger))
    until(lambda: ledger.entries(run.uid, "big"), within=40, what="the big result is being made")
    CARRIERS[name](reach)
    run.reaches("big", "Succeeded", within=PATIENCE)
    run.opened("gate")
    agents = [talking(space, ledger, models, name)] if name == WITH_AN_AGENT else []
    CARRIERS[name](reach)
    run.answer("gate", decision="Approved")
    seen = run.succeeded(within=PATIENCE)
    assert node_of(seen, "count")["output"] == 6000
    assert ledger.starts(run.uid) == {"small": 1, "big": 1, "count": 1}
    for agent in agents:
        assert_one_conversation(space, ledger, agent)
