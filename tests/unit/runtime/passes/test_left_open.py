"""Approvals whose gates have ended: they are closed, also after the end of the run, and a decision
that comes later has no effect and says so (S86)."""

import pytest
from waypost.kube.objects import items
from waypost.ports.cluster import ClusterError, Kind, Obj, QuotaExceeded, Rejected

from tests.support.builders import gate, python, spec
from tests.support.harness import World
from tests.support.refusals import Refusal
from tests.support.virtual import virtual

QUOTA = QuotaExceeded("exceeded quota: team", code=403)
POLICY = Rejected("admission webhook denied the request: no", code=403)
ERRORS = [pytest.param(QUOTA, id="quota"), pytest.param(POLICY, id="policy")]


def asked(world: World) -> Obj:
    (approval,) = world.all(Kind.APPROVAL)
    return approval


def late(approval: Obj) -> Obj:
    """The condition that says that a decision came too late."""
    conditions = items(approval, "status", "conditions")
    return next((c for c in conditions if c.get("reason") == "TooLate"), {})


@pytest.mark.parametrize("end", ["expiry", "cancel"])
@pytest.mark.parametrize("error", ERRORS)
@virtual
async def test_s86_an_approval_that_could_not_be_closed_is_closed_after_the_end_of_the_run(
    error: ClusterError, end: str
) -> None:
    async with World() as world:
        refused = Refusal(world.start(), error, Kind.APPROVAL, verb="patch_status")
        await world.submit(spec(gate("ok", timeout="60s", onDenied="Continue")))
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "asked", within=30)
        if end == "cancel":
            await world.patch_run({"cancel": True})
        status = await world.finished(within=150)
        assert status["phase"] == ("Cancelled" if end == "cancel" else "Succeeded")
        assert asked(world).get("status", {}).get("state", "Open") == "Open"
        refused.on = False
        await world.until(
            lambda: asked(world).get("status", {}).get("state", "Open") != "Open",
            "closed without any other change",
            within=70,
        )
        found = asked(world)["status"]
        if end == "cancel":
            assert found["state"] == "Withdrawn"
        else:
            assert (found["state"], found["expired"]) == ("Denied", True)
        assert not [w for w in await world.quiet(300) if w.request.user != "ann"]


@virtual
async def test_s86_a_decision_after_the_end_has_no_effect_and_says_so() -> None:
    """Its Approval was left open. A closed one takes no decision: the API server refuses it."""
    async with World() as world:
        refused = Refusal(world.start(), QUOTA, Kind.APPROVAL, verb="patch_status")
        await world.submit(
            spec(
                gate("ok", timeout="60s", onDenied="Continue"),
                python("go", dependsOn=["ok"], when="${nodes.ok.output.decision == 'Approved'}"),
            )
        )
        ended = await world.finished(within=150)
        await world.answer(decision="Approved")
        await world.quiet(30)
        refused.on = False
        await world.until(lambda: bool(late(asked(world))), "it says so", within=120)
        assert "this decision (Approved) has no effect" in late(asked(world))["message"]
        assert asked(world)["status"]["state"] == "Denied"
        assert not world.ledger.executions
        assert world.status()["nodes"] == ended["nodes"]
        assert not [w for w in await world.quiet(300) if w.request.user != "ann"]
        with pytest.raises(Rejected, match="can no longer change"):
            await world.answer(decision="Denied")
