"""An Approval that the API server will not take: the node says so, in the server's own words."""

import asyncio

import pytest
from waypost.kube.timestamps import parse_timestamp as parse
from waypost.ports.cluster import (
    ClusterError,
    Kind,
    QuotaExceeded,
    RefusedForNow,
    Rejected,
    Unavailable,
)

from tests.support.builders import gate, python, spec, wait
from tests.support.harness import World
from tests.support.refusals import Refusal
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


QUOTA = QuotaExceeded("exceeded quota: team", code=403)
REFUSALS = [
    pytest.param(QUOTA, id="quota"),
    pytest.param(Rejected("admission webhook denied the request: no", code=403), id="policy"),
    pytest.param(RefusedForNow("failed calling webhook: refused", code=500), id="webhook"),
]


def seconds_until_end(world: World, path: str) -> float:
    node = world.node(path)
    began, ended = parse(node["startedAt"]), parse(node["finishedAt"])
    assert began is not None
    assert ended is not None
    return (ended - began).total_seconds()


NO_ANSWER = pytest.param(Unavailable("internal error", code=500), id="no answer")


@pytest.mark.parametrize("verb", ["patch_status", "create"])
@pytest.mark.parametrize("lenient", [True, False], ids=["continues", "fails"])
@pytest.mark.parametrize("error", [*REFUSALS, NO_ANSWER])
@virtual
async def test_s70_silence_ends_in_time_when_the_approval_cannot_be_written(
    error: ClusterError, lenient: bool, verb: str
) -> None:
    if verb == "create" and type(error) is Rejected:
        return  # the node fails at once: nobody can be asked
    async with World() as world:
        refused = Refusal(world.start(), error, Kind.APPROVAL, verb=verb)
        more = {"onDenied": "Continue"} if lenient else {"onFailure": "Continue"}
        await world.submit(spec(gate("ok", timeout="60s", **more), wait("later", duration="300s")))
        await world.until(lambda: "finishedAt" in world.node("ok"), "it ends", within=90)
        assert 60 <= seconds_until_end(world, "ok") <= 75
        node = world.node("ok")
        assert node["phase"] == ("Succeeded" if lenient else "Failed")
        if lenient:
            assert node["output"]["expired"] is True
            assert str(error) in node["output"]["reason"]
        else:
            assert node["reason"] == "ApprovalExpired"
            assert str(error) in node["message"], "it says why the Approval does not show it"
        if verb == "patch_status":
            refused.on = False
            await world.patch_run({"suspend": True})  # any pass
            await world.quiet(30)
            (asked,) = world.all(Kind.APPROVAL)
            assert asked["status"]["expired"] is True, "closed as soon as it can be"


@virtual
async def test_s70_an_answer_in_time_counts_though_it_cannot_be_recorded_at_once() -> None:
    """The operator saw it before the expiry, and the status cannot be written until after it."""
    async with World() as world:
        operator = world.start()
        refused = Refusal(operator, QUOTA, Kind.APPROVAL, verb="patch_status")
        await world.submit(spec(gate("ok", timeout="60s")))
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "asked")
        await asyncio.sleep(50)
        await world.answer(decision="Approved")
        await asyncio.sleep(1)
        operator.watch.pause()
        await asyncio.sleep(120)
        assert "finishedAt" not in world.node("ok")
        assert world.node("ok")["reason"] == "RecordRejected"
        refused.on = False
        operator.watch.resume()
        assert (await world.finished(within=60))["phase"] == "Succeeded"


@virtual
async def test_s70_a_late_yes_does_not_count_where_the_expiry_cannot_be_recorded() -> None:
    async with World() as world:
        Refusal(world.start(), QUOTA, Kind.APPROVAL, verb="patch_status")
        await world.submit(spec(gate("ok", timeout="60s"), python("go", dependsOn=["ok"])))
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "asked")
        await asyncio.sleep(61)
        await world.answer(decision="Approved")
        status = await world.finished(within=60)
        assert status["phase"] == "Failed"
        assert world.node("ok")["reason"] == "ApprovalExpired"
        assert not world.ledger.executions
