"""Records that vanish while a question is open (S69): the question can no longer be compared with
its Approval, and the node says which record is lost. Nobody is advised to delete the Approval."""

import pytest
from waypost.ports.cluster import Kind, Obj

from tests.support.builders import gate, python, spec
from tests.support.harness import World, gives
from tests.support.virtual import virtual

LARGE = "x" * 3000  # fits no status
READS = spec(python("a"), gate("ok", message="${nodes.a.output}"))
EACH = spec(gate("ok", forEach={"items": "${['x', 'y']}"}, message="${item}"))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(READS, id="the output that the message shows"),
        pytest.param(EACH, id="the list of a map"),
    ],
)
@virtual
async def test_s69_a_question_whose_record_is_lost_says_which(body: Obj) -> None:
    async with World(script={"a": [gives(LARGE)]}) as world:
        first = world.start()
        await world.submit(body)
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "it is asked", within=60)
        await world.quiet(1)
        first.die()
        (record,) = world.all(Kind.NODE_RECORD)
        await world.delete(Kind.NODE_RECORD, record["metadata"]["name"])
        world.start()
        await world.until(lambda: "finishedAt" in world.node("ok"), "it ends", within=60)
        shown = str(world.node("ok"))
        assert "ResultLost" in shown
        assert "differs from the question" not in shown
