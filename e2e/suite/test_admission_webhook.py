"""The webhook that fills in names, installed with the chart, and a time without it (S767, S768)."""

from collections.abc import Iterator

import pytest

from e2e.cluster import api
from e2e.suite.build import Workflow, workflow
from e2e.suite.install import install
from e2e.suite.kube import ApiError, Kube, Obj
from e2e.suite.operators import NAMESPACE, Operator
from e2e.suite.space import Space, condition
from e2e.suite.waiting import until

NAME = "waypost-admission"
CONFIGURATION = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{NAME}"

pytestmark = [
    pytest.mark.alone,  # the chart is installed with other values
    pytest.mark.timeout(400),
    pytest.mark.usefixtures("stamped"),
]


@pytest.fixture(scope="module")
def stamped(kube: Kube, cluster: api.Cluster, operator: Operator) -> Iterator[None]:
    install(kube, cluster.chart_values | {"identity.stamp": "Webhook"})
    until(lambda: registered(kube), within=30, what="its CA is in the configuration")
    yield
    install(kube, cluster.chart_values)
    assert kube.get(CONFIGURATION) is None, "it goes with the value"


def registered(kube: Kube) -> bool:
    webhooks = (kube.get(CONFIGURATION) or {}).get("webhooks", [])
    return bool(webhooks) and all(one["clientConfig"].get("caBundle") for one in webhooks)


def asking(name: str) -> Workflow:
    return workflow(name).approval("review", gate={"approvers": {"users": ["ann"]}})


def decide(space: Space, gate: str, **more: str) -> Obj:
    """A decision of ann, as a patch that says nothing but that."""
    return space.patch("approvals", gate, {"spec": {"decision": "Approved", **more}}, by="ann")


def test_s767_runs_and_decisions_get_the_name_of_their_user(space: Space) -> None:
    run = space.start(asking("named"))
    stored = space.get("agentworkflows", run.name) or {}
    assert stored["spec"]["requestedBy"], "the administrator starts the runs of the suite"
    gate = run.opened("review")
    assert decide(space, gate)["spec"]["decidedBy"] == "ann"
    run.succeeded()
    answered = space.get("approvals", gate) or {}
    assert condition(answered, "IdentityVerified")["status"] == "True"


def test_s767_while_no_webhook_runs(space: Space, kube: Kube) -> None:
    kube.must("kubectl", "-n", NAMESPACE, "scale", f"deployment/{NAME}", "--replicas=0")
    labels = "app.kubernetes.io/component=admission"
    until(
        lambda: (
            not kube.must("kubectl", "-n", NAMESPACE, "get", "pods", "-l", labels, "-o", "name")
        ),
        within=40,
        what="its pods are gone",
    )
    run = space.start(asking("unnamed"))
    stored = space.get("agentworkflows", run.name) or {}
    assert "requestedBy" not in stored["spec"], "a run needs no webhook"
    gate = run.opened("review")
    with pytest.raises(ApiError, match=r"failed calling webhook .*approvals\.names\.waypost\.dev"):
        decide(space, gate)
    decide(space, gate, decidedBy="ann")
    run.succeeded()
    kube.must("kubectl", "-n", NAMESPACE, "scale", f"deployment/{NAME}", "--replicas=2")
    kube.must(
        "kubectl", "-n", NAMESPACE, "rollout", "status", f"deployment/{NAME}", "--timeout=90s"
    )
    again = space.start(asking("named-again"))
    gate = again.opened("review")

    def named() -> bool:  # the Service may know the new pods a moment later
        try:
            return bool(decide(space, gate)["spec"]["decidedBy"] == "ann")
        except ApiError as error:
            if "failed calling webhook" not in error.message:
                raise
            return False

    until(named, within=20, what="a decision is named again")
    again.succeeded()
