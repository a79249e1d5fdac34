"""examples/map-of-approvals: one question for each item, answered by a person."""

import yaml
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.examples.test_templates import own_program
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

FILE = EXAMPLES / "map-of-approvals" / "workflow.yaml"


@virtual
async def test_what_was_approved_is_paid() -> None:
    manifest = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    async with World(script={"pay": [own_program]}) as world:
        world.start()
        await world.user.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=manifest)
        await world.until(lambda: len(world.all(Kind.APPROVAL)) == 3, "three questions are asked")
        for approval in world.all(Kind.APPROVAL):
            decision = "Denied" if "9000" in approval["spec"]["message"] else "Approved"
            answer = {"decision": decision, "decidedBy": "ann"}
            await world.patch(Kind.APPROVAL, approval["metadata"]["name"], answer)
        status = await world.finished("map-of-approvals")
        assert status["outputs"] == {"paid": ["alice", "carol"], "total": 165}, world.tell()
