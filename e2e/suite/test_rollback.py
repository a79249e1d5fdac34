"""`helm rollback` with runs in flight: after an upgrade that works, and after one that does not."""

from collections.abc import Iterator, Mapping

import pytest

from e2e.cluster import api
from e2e.suite.build import Workflow, workflow
from e2e.suite.install import install, revision, roll_back
from e2e.suite.kube import Kube
from e2e.suite.ledger import Ledger
from e2e.suite.operators import NAMESPACE, RELEASE, Operator
from e2e.suite.space import Run, Space, node_of
from e2e.suite.waiting import until

pytestmark = pytest.mark.alone  # it replaces the operator

PROGRAMS, GATES = 6, 44  # runs with programs, and runs that wait for people: 50 in flight
SLOW = "def run(**before):\n    held()\n    return 1 + sum(before.values())\n"
UPGRADED: dict[str, str | int] = {"log.level": "debug", "gateway.replicas": 1}


@pytest.fixture
def restored(kube: Kube, cluster: api.Cluster, operator: Operator) -> Iterator[None]:
    yield
    install(kube, cluster.chart_values)
    operator.ready()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("works", [True, False], ids=["one-that-works", "one-that-does-not"])
def test_runs_in_flight_end_after_a_rollback(
    space: Space,
    ledger: Ledger,
    kube: Kube,
    cluster: api.Cluster,
    operator: Operator,
    restored: None,
    works: bool,
) -> None:
    """Programs run, and gates wait, while the chart is upgraded. Half of them end before the
    rollback. Each program starts once."""
    names = [f"{'good' if works else 'bad'}-{at}" for at in range(PROGRAMS + GATES)]
    runs = [start(space, ledger, name) for name in names[:PROGRAMS]]
    asked = [space.start(gated(name)) for name in names[PROGRAMS:]]
    for run in runs:
        ledger.holds(run.uid)
    gates = {run.name: run.opened("gate") for run in (*runs, *asked)}
    before = revision(kube)
    upgrade(kube, cluster.chart_values, works=works)
    for run in (*runs[::2], *asked[::2]):
        ledger.release(run.uid)
        space.answer(gates[run.name], decision="Approved")
    if works:
        runs[0].reaches("a", "Succeeded")
    roll_back(kube)
    operator.ready()
    assert revision(kube) == before + 2
    assert level(kube) == "info", "the values are those of before"
    for run in (*runs[1::2], *asked[1::2]):
        ledger.release(run.uid)
        space.answer(gates[run.name], decision="Approved")
    for run in asked:
        run.succeeded(within=120)
    for run in runs:
        ended = run.succeeded(within=120)
        assert node_of(ended, "b")["output"] == 2
        assert ledger.starts(run.uid) == {"a": 1, "b": 1}


def start(space: Space, ledger: Ledger, name: str) -> Run:
    """A run with a program that is held, a gate beside it, and a program behind both."""
    patient = {"timeout": "300s", "queueTimeout": "300s"}
    flow = workflow(name).having(defaults=patient)
    flow.python("a", ledger.counted(SLOW))
    flow.approval("gate")
    inputs = {"n": "${nodes.a.output}"}
    return space.start(flow.python("b", ledger.counted(SLOW), inputs=inputs, dependsOn=["gate"]))


def gated(name: str) -> Workflow:
    """A run that waits for a person, and has no pod."""
    return workflow(name).approval("gate").wait("after", "1ms", dependsOn=["gate"])


def upgrade(kube: Kube, values: Mapping[str, str | int], *, works: bool) -> None:
    """Upgrade the chart. Where it does not work, the image of the operator does not exist: helm
    gives up, and nothing of the release before is left to work but the gateway."""
    if works:
        install(kube, {**values, **UPGRADED})
        return
    broken = {**values, **UPGRADED, "image.repository": "waypost.local/absent", "image.tag": "no"}
    broken.pop("image.digest", None)
    with pytest.raises(AssertionError, match="UPGRADE FAILED"):
        install(kube, broken, timeout="20s")
    until(lambda: level(kube) == "debug", within=10, what="the Deployment is the new one")


def level(kube: Kube) -> str:
    """The log level of the installed operator."""
    path = '{.spec.template.spec.containers[0].env[?(@.name=="WAYPOST_LOG_LEVEL")].value}'
    options = ("-n", NAMESPACE, "get", "deployment", RELEASE, "-o", f"jsonpath={path}")
    return kube.must("kubectl", *options).strip()
