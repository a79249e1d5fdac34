"""A paused run on a cluster: nothing is written, it survives operators, and a cancel ends it."""

import pytest

from tests.support.builders import gate, python, spec
from tests.support.harness import World, fails, gives
from tests.support.virtual import virtual

SPEC = spec(
    python("x", onFailure="Pause"),
    python("y", inputs={"v": "${nodes.x.output}"}),
    gate("ok", timeout="12h", onDenied="Continue"),
    python("other", dependsOn=["ok"]),
)


@pytest.mark.parametrize("restart", [False, True], ids=["same-operator", "after-a-restart"])
@virtual
async def test_a_paused_run_waits_and_other_branches_go_on(restart: bool) -> None:
    async with World(script={"x": [fails()], "other": [gives(1)]}) as world:
        operator = world.start()
        await world.submit(SPEC)
        await world.until(lambda: world.node("x").get("phase") == "Failed", "x has failed")
        if restart:
            operator.die()
            world.start()
        await world.answer(decision="Approved")
        await world.until(
            lambda: world.node("other").get("phase") == "Succeeded", "other continues"
        )
        await world.until(lambda: world.status()["phase"] == "Paused", "the rest waits")
        writes = await world.quiet(24 * 3600.0)
        assert writes == [], "a day of waiting for a person costs the API server nothing"
        assert world.node("y")["phase"] == "Pending"
        assert not world.is_finished()
        await world.patch_run({"cancel": True})
        status = await world.finished()
        assert (status["phase"], world.node("x")["phase"]) == ("Cancelled", "Failed")
        assert {e.path for e in world.ledger.executions} == {"x", "other"}
