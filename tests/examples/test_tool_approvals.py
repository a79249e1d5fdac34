"""examples/tool-approvals: a person changes a refund and denies a letter before they are made."""

from typing import Any

import yaml
from waypost.kube.manifests.pod import PodSettings
from waypost.ports.cluster import Kind
from waypost.protocol.agents import gated_calls
from waypost.protocol.agents.gated_calls import DecidedCall, GatedCall

from tests.examples.conftest import EXAMPLES
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.calls.plan import PROVIDER
from tests.support.gateway import parks
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

FILE = EXAMPLES / "tool-approvals" / "workflow.yaml"
PODS = PodSettings(
    runner_image="runner:test", agent_image="agent:test", gateway_url="http://gateway"
)
REFUND = GatedCall(1, "call-1", "refund", None, {"order": 7, "amount": 120}, "sha256:0")
LETTER = GatedCall(1, "call-2", "send", None, {"text": "Here is your money."}, "sha256:1")


@virtual
async def test_a_refund_is_changed_and_a_letter_is_denied() -> None:
    manifest = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    given: list[DecidedCall] = []

    async with World() as world:

        def support(pod: PodView) -> Outcome:
            decisions: Any = pod.request["agent"].get("decisions")
            if decisions is None:
                return parks(world.cluster.server, pod, [REFUND, LETTER])
            given.extend(gated_calls.decisions_from_json(decisions))
            return pod.succeeds({"answered": True})

        world.script["support"] = [support]
        world.start(pods=PODS)
        await world.user.create(Kind.MODEL_PROVIDER, namespace=NAMESPACE, body=PROVIDER)
        await world.user.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=manifest)
        await world.until(lambda: len(world.all(Kind.APPROVAL)) == 2, "two calls are asked")
        for approval in world.all(Kind.APPROVAL):
            name, asked = approval["metadata"]["name"], approval["spec"]["context"]
            answer: dict[str, Any] = {"decision": "Denied", "reason": "say sorry first"}
            if asked["tool"] == "refund":
                answer = {"decision": "Approved", "answer": {**asked["arguments"], "amount": 60}}
            await world.patch(Kind.APPROVAL, name, {**answer, "decidedBy": "ann"})
        status = await world.finished("tool-approvals")

    assert status["outputs"] == {"answered": True}
    assert given == [
        DecidedCall(REFUND.digest, "Approved", {"order": 7, "amount": 60}, by="ann"),
        DecidedCall(LETTER.digest, "Denied", reason="say sorry first", by="ann"),
    ]
