"""A run that is deleted before its end leaves nothing behind, with and without an operator."""

import pytest

from e2e.suite.build import Workflow, workflow
from e2e.suite.kube import Kube
from e2e.suite.operators import Operator
from e2e.suite.space import Run, Space
from e2e.suite.waiting import until

GONE_SECONDS = 60.0


def in_flight(name: str) -> Workflow:
    """A node that has ended, one that runs, an open gate, a record: something of everything."""
    return (
        workflow(name)
        .python("done", "return 'x' * 3000")
        .python("busy", "import time\ntime.sleep(40)", dependsOn=["done"])
        .approval("gate", dependsOn=["done"])
    )


def midway(space: Space, name: str) -> Run:
    """The run once all of that is there."""
    run = space.start(in_flight(name))
    run.running_pod("busy")
    run.opened("gate")
    return run


@pytest.mark.parametrize("policy", ["background", "foreground", "orphan"])
def test_deleted_run_leaves_no_job_pod_approval_or_finalizer(own_space: Space, policy: str) -> None:
    run = midway(own_space, f"deleted-{policy}")
    own_space.kubectl("delete", "aw", run.name, f"--cascade={policy}", "--wait=false")
    until(lambda: not own_space.all("agentworkflows"), within=GONE_SECONDS, what="the run is gone")
    if policy == "orphan":
        # The user asked to keep the children; nothing of ours may keep them from going.
        own_space.kubectl("delete", "jobs,pods,approvals,noderecords", "--all", "--wait=false")
    until(own_space.empty, within=GONE_SECONDS, what="its children are gone")


def test_namespace_deleted_with_the_operator_up(own_space: Space, kube: Kube) -> None:
    midway(own_space, "namespace-up")
    delete_namespace(kube, own_space)


@pytest.mark.alone
def test_run_and_namespace_deleted_with_the_operator_down(
    own_space: Space, space: Space, kube: Kube, operator: Operator
) -> None:
    """Pods whose result nobody has read wait for an operator, and for nothing else."""
    midway(own_space, "namespace-down")
    run = midway(space, "run-down")
    operator.scale(0)
    try:
        kube.request("DELETE", f"/api/v1/namespaces/{own_space.name}")
        space.delete("agentworkflows", run.name)
        until(lambda: not space.all("agentworkflows"), within=GONE_SECONDS, what="the run is gone")
    finally:
        operator.scale()
    until(space.empty, within=GONE_SECONDS, what="what the run owned is gone")
    until(
        lambda: kube.get(f"/api/v1/namespaces/{own_space.name}") is None,
        within=GONE_SECONDS,
        what="the namespace is gone",
    )


def delete_namespace(kube: Kube, space: Space) -> None:
    """Delete it and wait: no finalizer may hold it."""
    path = f"/api/v1/namespaces/{space.name}"
    kube.request("DELETE", path)
    until(
        lambda: kube.get(path) is None,
        within=GONE_SECONDS,
        what="the namespace is gone",
        seen=lambda: (kube.get(path) or {}).get("status"),
    )


def test_deleted_approval_comes_back_with_its_old_clock(space: Space) -> None:
    run = space.start(workflow("asked-twice").approval("review", gate={"timeout": "90s"}))
    gate = run.opened("review")
    first = space.get("approvals", gate) or {}
    space.delete("approvals", gate)

    def again() -> bool:
        found = space.get("approvals", gate)
        return found is not None and found["metadata"]["uid"] != first["metadata"]["uid"]

    until(again, within=20, what="the question is asked again")
    second = space.get("approvals", gate) or {}
    assert second["spec"] == first["spec"], "same question, same expiry"
    run.answer("review", decision="Approved")
    run.succeeded()


def test_finished_run_is_deleted_after_its_ttl(space: Space) -> None:
    run = space.start(workflow("short-lived").python("a", "return 1"))
    run.succeeded()
    run.set(ttlSecondsAfterFinished=1)
    until(
        lambda: space.get("agentworkflows", run.name) is None,
        within=20,
        what="the run is deleted by its TTL",
    )
