"""An Approval that the API server will not take: the node says so, in the server's own words."""

from waypost.ports.cluster import Kind, QuotaExceeded, Rejected

from tests.support.builders import gate, python, spec
from tests.support.harness import World
from tests.support.virtual import virtual

WORDS = "admission webhook denied the request: no gates on Fridays"


@virtual
async def test_refused_for_good() -> None:
    async with World() as world:
        world.start()
        world.cluster.fail_next("create", Kind.APPROVAL, Rejected(WORDS, code=403))
        await world.submit(spec(gate("ok"), python("go", dependsOn=["ok"])))
        status = await world.finished(within=60)
        node = next(n for n in status["nodes"] if n["path"] == "ok")
        assert (node["phase"], node["reason"]) == ("Failed", "LaunchRejected")
        assert WORDS in node["message"]
        assert not world.ledger.executions, "nothing below a gate that nobody can answer"


@virtual
async def test_refused_by_a_quota_that_lifts() -> None:
    async with World() as world:
        world.start()
        full = QuotaExceeded("exceeded quota: approvals", code=403)
        world.cluster.fail_next("create", Kind.APPROVAL, full)
        await world.submit(spec(gate("ok")))
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "it is asked after all")
        await world.answer(decision="Approved")
        status = await world.finished(within=60)
        assert status["phase"] == "Succeeded"
