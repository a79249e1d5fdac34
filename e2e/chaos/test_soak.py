"""A slice of `make chaos` that fits into every test run, the same each time."""

import pytest

from e2e.bench import audit
from e2e.bench.figures import line
from e2e.chaos.faults import Reach
from e2e.chaos.judging import judging
from e2e.chaos.patient import patient
from e2e.chaos.shapes import raise_backdrop
from e2e.chaos.soak import Plan, Soak, recoveries
from e2e.cluster import api
from e2e.cluster.embedded.provider import Embedded
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Space

SEED = 20251


@pytest.mark.timeout(600)
def test_runs_under_random_faults_all_end_as_they_should(
    space: Space, ledger: Ledger, operator: Operator, cluster: api.Cluster, control: Embedded
) -> None:
    assert operator.machine is not None
    assert cluster.audit_log is not None
    calm = Space(patient(space.kube), space.name)
    steady = Operator(calm.kube, operator.machine)
    backdrop = raise_backdrop(calm, ledger, cluster)
    reach = Reach(space=calm, operator=steady, host=operator.machine, control=control)
    plan = Plan(runs=10, seconds=30.0, every=3.0, seed=SEED)
    log = audit.from_now(cluster.audit_log)
    with judging(calm, ledger, cluster):
        soak = Soak(reach, backdrop, plan, say=print)
        soak.run()
        assert not (wrong := soak.wrong_ends()), "\n".join(wrong)
    print(*map(line, recoveries(soak.kills, log.requests(calm.name))), sep="\n")
