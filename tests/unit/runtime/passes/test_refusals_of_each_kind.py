"""One child that cannot be written (K1), of each kind and with refusals of every sort: the node
says it within a minute, other nodes end, and a cancel ends the run."""

from typing import Any

import pytest
from waypost.kube.egress.policy import EgressSettings
from waypost.kube.manifests.pod import PodSettings
from waypost.ports.cluster import ClusterError, Kind, Obj, RefusedForNow, Rejected

from tests.support.builders import gate, python, spec
from tests.support.harness import World, gives
from tests.support.refusals import Refusal
from tests.support.virtual import virtual

PODS = PodSettings(
    runner_image="runner:test",
    gateway_url="http://waypost-gateway.waypost.svc:8080",
    egress=EgressSettings(
        gateway_namespace="waypost",
        gateway_labels=(("app.kubernetes.io/component", "gateway"),),
        gateway_address="http://10.96.0.7:8080",
    ),
)
TERMINATED = Rejected(
    "unable to create new content in namespace team because it is being terminated", code=403
)
TOO_LARGE = Rejected("etcdserver: request is too large", code=413)
UNKNOWN_VERSION = Rejected("the server could not find the requested resource", code=404)
INVALID = Rejected('Job.batch "x" is invalid: spec.template.spec.priorityClassName', code=422)
DENIED = Rejected("admission webhook policy.example.com denied the request: no owner", code=400)
READ_ONLY = RefusedForNow("etcdserver: mvcc: database space exceeded", code=500)
NODES: dict[Kind, Obj] = {
    Kind.JOB: python("odd"),
    Kind.LEASE: python("odd", concurrency={"key": "crm", "limit": 1}),
    Kind.NETWORK_POLICY: python("odd", isolation={"egress": "None"}),
    Kind.APPROVAL: gate("odd"),
}
CASES: list[Any] = [
    pytest.param(Kind.JOB, TERMINATED, id="job-namespace-is-being-terminated"),
    pytest.param(Kind.JOB, TOO_LARGE, id="job-larger-than-etcd-takes"),
    pytest.param(Kind.JOB, UNKNOWN_VERSION, id="job-kind-is-not-served"),
    pytest.param(Kind.JOB, INVALID, id="job-invalid"),
    pytest.param(Kind.JOB, DENIED, id="job-denied-with-400"),
    pytest.param(Kind.JOB, READ_ONLY, id="job-etcd-is-full"),
    pytest.param(Kind.LEASE, TERMINATED, id="slot-namespace-is-being-terminated"),
    pytest.param(Kind.LEASE, DENIED, id="slot-denied-with-400"),
    pytest.param(Kind.LEASE, READ_ONLY, id="slot-etcd-is-full"),
    pytest.param(Kind.NETWORK_POLICY, UNKNOWN_VERSION, id="policy-kind-is-not-served"),
    pytest.param(Kind.NETWORK_POLICY, DENIED, id="policy-denied-with-400"),
    pytest.param(Kind.NETWORK_POLICY, READ_ONLY, id="policy-etcd-is-full"),
    pytest.param(Kind.APPROVAL, TOO_LARGE, id="question-larger-than-etcd-takes"),
    pytest.param(Kind.APPROVAL, TERMINATED, id="question-namespace-is-being-terminated"),
    pytest.param(Kind.APPROVAL, READ_ONLY, id="question-etcd-is-full"),
]


@pytest.mark.parametrize(("kind", "error"), CASES)
@virtual
async def test_a_child_that_is_refused_is_named_and_holds_up_nothing_else(
    kind: Kind, error: ClusterError
) -> None:
    async with World(script={"odd": [gives(1)], "other": [gives(2)]}) as world:
        operator = world.start(pods=PODS)
        Refusal(operator, error, kind, verb="create")
        calm = gate("other", onDenied="Continue", timeout="20s")
        other = calm if kind is Kind.JOB else python("other", onFailure="Continue")
        await world.submit(spec(NODES[kind], other))
        await world.until(lambda: error.message in messages(world), "it is named", within=60)
        await world.until(lambda: "finishedAt" in world.node("other"), "the other", within=60)
        if "finishedAt" not in world.run().get("status", {}):
            await world.patch_run({"cancel": True})
        status = await world.finished(within=60)
        assert status["phase"] in ("Cancelled", "Failed")
        if not isinstance(error, RefusedForNow):
            assert operator.telemetry.outcomes["error"] == 0, "nothing is gained by another pass"


@virtual
async def test_events_that_are_refused_hold_up_nothing() -> None:
    async with World(script={"odd": [gives(1)]}) as world:
        Refusal(world.start(), TERMINATED, Kind.EVENT, verb="create")
        await world.submit(spec(python("odd")))
        assert (await world.finished(within=60))["phase"] == "Succeeded"


def messages(world: World) -> str:
    """All that the run says."""
    conditions = world.status().get("conditions", [])
    return " ".join(str(one.get("message")) for one in (world.node("odd"), *conditions))
