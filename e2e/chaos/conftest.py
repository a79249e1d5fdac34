"""Fixtures of the chaos tests: reach to the cluster's own programs, a second machine, judges."""

from collections.abc import Iterator

import pytest

from e2e.chaos.faults import Reach
from e2e.chaos.history import History
from e2e.chaos.judging import judging
from e2e.chaos.second import Second
from e2e.cluster import api
from e2e.cluster.embedded.provider import Embedded
from e2e.cluster.settings import from_environment
from e2e.cluster.shell import Progress
from e2e.suite.ledger import Ledger
from e2e.suite.operators import Operator
from e2e.suite.space import Space


@pytest.fixture(scope="session")
def control(cluster: api.Cluster) -> Embedded:
    """The cluster's own programs; only the embedded cluster lets them be killed."""
    if cluster.provider != "embedded":
        pytest.skip("needs the cluster's own programs: CLUSTER=embedded")
    return Embedded(from_environment(provider=cluster.provider), Progress(quiet=True))


@pytest.fixture(scope="module")
def reach(space: Space, operator: Operator, control: Embedded) -> Reach:
    """Everything that can be broken, and the namespace of the module."""
    assert operator.machine is not None
    return Reach(space=space, operator=operator, host=operator.machine, control=control)


@pytest.fixture(scope="module")
def judged(space: Space, ledger: Ledger, cluster: api.Cluster) -> Iterator[History]:
    """The history of the module's namespace. When the module ends nothing may be wrong with it."""
    with judging(space, ledger, cluster) as history:
        yield history


@pytest.fixture(scope="module")
def second(control: Embedded, operator: Operator, runner: str) -> Iterator[Second]:
    """A second machine, which can be lost; it is gone after the module. Its nodes run programs."""
    assert operator.machine is not None
    try:
        machine = control.add_machine(2, images=[runner])
        yield Second(operator.kube, control, machine, operator.machine)
    finally:
        control.remove_machine(2)
