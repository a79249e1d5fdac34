"""S70: which answers to an Approval are in time, with a real cache and operators that are away."""

import pytest
from waypost.ports.cluster import Kind, Unavailable

from tests.support.builders import gate, spec
from tests.support.harness import World
from tests.support.virtual import virtual

QUESTION = gate("ok", timeout="60s", onDenied="Continue")


async def ask(world: World) -> str:
    await world.submit(spec(QUESTION))
    await world.until(lambda: bool(world.all(Kind.APPROVAL)), "it is asked", within=10)
    name: str = world.all(Kind.APPROVAL)[0]["metadata"]["name"]
    return name


@pytest.mark.parametrize(
    ("at", "decision"),
    [
        pytest.param(30.0, "Approved", id="in-time"),
        pytest.param(70.0, "Denied", id="too-late"),
    ],
)
@virtual
async def test_s70_an_answer_is_in_time_if_an_operator_saw_it(at: float, decision: str) -> None:
    async with World() as world:
        world.start()
        name = await ask(world)
        await world.quiet(at)
        if decision == "Approved":
            await world.patch(Kind.APPROVAL, name, {"decision": "Approved", "decidedBy": "ann"})
        await world.finished(within=120)
        assert world.node("ok")["output"]["decision"] == decision


@virtual
async def test_s70_an_answer_that_no_operator_saw_before_the_expiry_is_late() -> None:
    """The field manager has the time of the answer, but a client can write any time there."""
    async with World() as world:
        operator = world.start()
        name = await ask(world)
        operator.die()
        await world.patch(Kind.APPROVAL, name, {"decision": "Approved", "decidedBy": "ann"})
        await world.quiet(120)
        world.start()
        await world.finished(within=120)
        assert world.node("ok")["output"]["decision"] == "Denied"
        assert world.node("ok")["output"]["expired"] is True


@virtual
async def test_s70_an_answer_that_was_seen_in_time_counts_when_it_is_recorded_late() -> None:
    async with World() as world:
        world.start()
        name = await ask(world)
        expires = world.node("ok")["wakeAt"]
        await world.quiet(57)
        lost = Unavailable("lost")
        world.cluster.fail_next("patch_status", Kind.APPROVAL, lost, times=4)
        await world.patch(Kind.APPROVAL, name, {"decision": "Approved", "decidedBy": "ann"})
        await world.quiet(4)
        assert world.node("ok")["phase"] == "Waiting", "it is not recorded yet"
        await world.finished(within=120)
        assert world.node("ok")["finishedAt"] > expires
        assert world.node("ok")["output"]["decision"] == "Approved"
