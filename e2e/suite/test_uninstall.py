"""The chart goes while runs are on their way. Always the last test: nobody installs it again."""

import pytest

from e2e.suite.build import workflow
from e2e.suite.install import uninstall
from e2e.suite.kube import Kube
from e2e.suite.operators import NAMESPACE, Operator
from e2e.suite.space import FINALIZER, Space, container_state
from e2e.suite.test_deletions import delete_namespace, midway
from e2e.suite.waiting import until


@pytest.mark.alone
def test_uninstalling_the_chart_with_runs_in_flight_strands_nothing(
    own_space: Space, kube: Kube, operator: Operator
) -> None:
    run = midway(own_space, "in-flight")
    short = own_space.start(workflow("ends-later").python("work", "import time\ntime.sleep(12)"))
    short.running_pod("work")
    uninstall(kube)
    assert run.read()["status"]["phase"] == "Running", "runs and their history stay"
    for kind in ("clusterroles", "clusterrolebindings"):
        listed = kube.must("kubectl", "get", kind, "-o", "name")
        assert "waypost" not in listed, "no rights are left behind"
    left = kube.must("kubectl", "-n", NAMESPACE, "get", "pods,jobs,serviceaccounts", "-o", "name")
    assert "waypost" not in left
    held = [
        p for p in run.pods() + short.pods() if FINALIZER in p["metadata"].get("finalizers", [])
    ]
    assert held == [], "no pod waits for an operator that is gone"
    until(
        lambda: any(container_state(p, "terminated") for p in short.pods()),
        within=30,
        what="a pod that was running ends in peace",
    )
    delete_namespace(kube, own_space)
