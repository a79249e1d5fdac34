"""Gates on a cluster: of answer, expiry and withdrawal exactly one wins (B5)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.api import meta
from waypost.kube.timestamps import parse_timestamp
from waypost.ports.cluster import ClusterError, Kind, Obj, PatchType, Rejected

from tests.fakes.api.watch import DELAYED, ROUGH, STALE, Delivery
from tests.support.builders import gate, python, spec
from tests.support.harness import Call, World, fails
from tests.support.virtual import virtual

SPEC = spec(
    gate("ok", timeout="60s", onDenied="Continue"),
    python("yes", when="${nodes.ok.output.decision == 'Approved'}"),
    python("no", when="${nodes.ok.output.decision == 'Denied'}"),
)


def the_approval(world: World) -> Obj:
    """The one Approval there is."""
    (found,) = world.all(Kind.APPROVAL)
    return found


async def asked(world: World) -> Obj:
    """The Approval, as soon as it is there."""
    await world.until(lambda: bool(world.all(Kind.APPROVAL)), "it is asked", step=0.05)
    return the_approval(world)


def check_one_winner(world: World, status: Obj) -> None:
    """The Approval's record and the run's checkpoint say the same, and what ran agrees."""
    state = the_approval(world)["status"]["state"]
    node = next(n for n in status["nodes"] if n["path"] == "ok")
    ran = {execution.path for execution in world.ledger.executions}
    if state == "Withdrawn":
        assert node["phase"] == "Cancelled"
        assert ran == set()
        return
    assert node["output"]["decision"] == state
    assert ran == {"yes" if state == "Approved" else "no"}, "I8"


@pytest.mark.parametrize("offset", [-2.0, -1.0, -0.1, -0.02, 0.0, 0.01, 0.05, 0.5, 3.0])
@pytest.mark.parametrize("seed", range(3))
@virtual
async def test_answered_around_the_expiry(offset: float, seed: int) -> None:
    async with World(seed=seed) as world:
        world.start(delivery=[Delivery(), DELAYED, ROUGH][seed], seed=seed)
        await world.submit(SPEC)
        expires = parse_timestamp((await asked(world))["spec"]["expiresAt"])
        assert expires is not None
        left = (expires - world.clock.now()).total_seconds() + offset
        await asyncio.sleep(left)
        refused = ""
        try:
            await world.answer(decision="Approved")
        except Rejected as error:
            refused = error.message
        status = await world.finished(within=300)
        check_one_winner(world, status)
        state = the_approval(world)["status"]["state"]
        if offset <= -1.0 and seed == 0:  # else the watch may deliver it after the expiry
            assert state == "Approved", "the operator saw it in time"
        if offset >= 3.0:
            assert state == "Denied", "silence never means yes"
            assert "can no longer change" in refused, "a late patch is refused by the root rule"


@pytest.mark.parametrize("first", ["answer", "cancel"])
@pytest.mark.parametrize("gap", [0.0, 0.005, 0.02, 0.1, 1.0])
@virtual
async def test_answer_against_cancel(first: str, gap: float) -> None:
    async with World() as world:
        world.start()
        await world.submit(SPEC)
        name = (await asked(world))["metadata"]["name"]

        async def answer() -> None:
            try:
                await world.answer(decision="Approved")
            except ClusterError:
                return  # withdrawn already

        moves = [answer(), world.patch_run({"cancel": True})]
        if first == "cancel":
            moves.reverse()
        world.helper(moves[0])
        await asyncio.sleep(gap)
        await moves[1]
        status = await world.finished(within=120)
        assert name == the_approval(world)["metadata"]["name"]
        state = the_approval(world)["status"]["state"]
        node = next(n for n in status["nodes"] if n["path"] == "ok")
        assert node["phase"] == ("Succeeded" if state == "Approved" else "Cancelled")
        assert status["phase"] == "Cancelled"
        assert the_approval(world)["status"]["state"] != "Open", "a cancelled gate is closed"


@virtual
async def test_a_failure_elsewhere_withdraws_the_question() -> None:
    async with World(script={"bad": [fails()]}) as world:
        world.start()
        await world.submit(spec(*SPEC["nodes"], python("bad")))
        status = await world.finished(within=120)
        assert status["phase"] == "Failed"
        assert the_approval(world)["status"]["state"] == "Withdrawn"
        with pytest.raises(Rejected):
            await world.answer(decision="Approved")
        assert world.ledger.of("yes") == []


@virtual
async def test_the_approval_is_recorded_before_the_run() -> None:
    """The order of the two writes, and a crash between them."""
    async with World() as world:
        operator = world.start()
        await world.submit(SPEC)
        await asked(world)

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            answer = await send()
            if call.kind is Kind.APPROVAL and call.verb == "patch_status":
                operator.die()
                raise asyncio.CancelledError
            return answer

        operator.line.intercept = intercept
        await world.answer(decision="Approved", reason="fine", decidedBy="ann")
        await world.quiet(300)
        assert the_approval(world)["status"]["state"] == "Approved"
        assert world.node("ok")["phase"] == "Waiting", "the run's record comes second"
        world.start()
        status = await world.finished(within=60)
        check_one_winner(world, status)
        output = next(n for n in status["nodes"] if n["path"] == "ok")["output"]
        assert output["decision"] == "Approved", "though it has expired since"
        assert output["decidedBy"] == "ann"


@virtual
async def test_a_deleted_approval_comes_back_with_the_same_expiry() -> None:
    async with World() as world:
        world.start()
        await world.submit(SPEC)
        before = await asked(world)
        await world.quiet(20)
        await world.delete(Kind.APPROVAL, before["metadata"]["name"])
        after = await asked(world)
        assert after["metadata"]["uid"] != before["metadata"]["uid"]
        assert after["spec"] == before["spec"], "the clock does not restart"
        status = await world.finished(within=60)
        check_one_winner(world, status)
        output = next(n for n in status["nodes"] if n["path"] == "ok")["output"]
        assert output["expired"] is True


@virtual
async def test_deleted_again_and_again_it_still_expires() -> None:
    async with World() as world:
        operator = world.start()

        async def vandal() -> None:
            while True:
                await asyncio.sleep(3)
                for body in world.all(Kind.APPROVAL):
                    if body["status"].get("state", "Open") == "Open":
                        await world.delete(Kind.APPROVAL, body["metadata"]["name"])

        await world.submit(SPEC)
        world.helper(vandal())
        status = await world.finished(within=200)
        assert status["phase"] == "Succeeded"
        assert world.ledger.of("yes") == []
        assert len(operator.line.writes(Kind.APPROVAL)) < 60


@pytest.mark.parametrize("owned", [False, True], ids=["stranger", "forged owner"])
@virtual
async def test_an_approval_that_somebody_made_beforehand_is_refused(owned: bool) -> None:
    """Its name can be guessed; its answer must not count."""
    async with World() as world:
        operator = world.start()
        made: list[str] = []

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "create" and call.kind is Kind.APPROVAL and not made:
                made.append(call.name)
                await forge(world, call.name, owned=owned)
            return await send()

        operator.line.intercept = intercept
        await world.submit(SPEC)
        status = await world.finished(within=200)
        node = next(n for n in status["nodes"] if n["path"] == "ok")
        assert (node["phase"], node["reason"]) == ("Failed", "LaunchRejected")
        assert made[0] in node["message"]
        assert world.ledger.executions == []


async def forge(world: World, name: str, *, owned: bool) -> None:
    """What somebody who wants a yes would make: another question, answered at once."""
    run = world.run()["metadata"]
    owner = {
        "apiVersion": meta.API_VERSION,
        "kind": "AgentWorkflow",
        "name": run["name"],
        "uid": run["uid"],
        "controller": True,
    }
    body = {
        "apiVersion": meta.API_VERSION,
        "kind": "Approval",
        "metadata": {
            "name": name,
            "labels": {meta.LABEL_RUN: run["uid"]},
            **({"ownerReferences": [owner]} if owned else {}),
        },
        "spec": {
            "run": run["name"],
            "path": "ok",
            "message": "Lunch?",
            "approvers": {"users": ["mallory"]},
            "requestDigest": "sha256:" + "0" * 64,
        },
    }
    mallory = world.cluster.as_user("mallory")
    await mallory.create(Kind.APPROVAL, namespace="default", body=body)
    await mallory.patch(
        Kind.APPROVAL,
        namespace="default",
        name=name,
        body={"spec": {"decision": "Approved"}},
        patch_type=PatchType.MERGE,
    )


@virtual
async def test_a_copy_of_the_question_that_the_run_does_not_own_is_refused() -> None:
    async with World() as world:
        world.start()
        await world.submit(SPEC)
        true = await asked(world)
        name = true["metadata"]["name"]
        copied = {**true, "metadata": {"name": name, "labels": true["metadata"]["labels"]}}
        copied.pop("status", None)
        mallory = world.cluster.as_user("mallory")
        await mallory.delete(Kind.APPROVAL, namespace="default", name=name)
        await mallory.create(Kind.APPROVAL, namespace="default", body=copied)
        await mallory.patch(
            Kind.APPROVAL,
            namespace="default",
            name=name,
            body={"spec": {"decision": "Approved"}},
            patch_type=PatchType.MERGE,
        )
        status = await world.finished(within=200)
        assert world.ledger.of("yes") == [], "I8"
        node = next(n for n in status["nodes"] if n["path"] == "ok")
        assert (node["phase"], node["reason"]) == ("Failed", "LaunchRejected")


@pytest.mark.parametrize("seed", range(6))
@virtual
async def test_answers_through_a_bad_watch(seed: int) -> None:
    async with World(seed=seed) as world:
        world.start(delivery=STALE if seed % 2 else ROUGH, seed=seed)
        await world.submit(SPEC)
        await asked(world)
        await world.answer(decision="Denied")
        status = await world.finished(within=300)
        check_one_winner(world, status)
        assert the_approval(world)["status"].get("expired") is None


@virtual
async def test_a_gate_waits_for_days_without_a_write() -> None:
    async with World() as world:
        world.start()
        await world.submit(spec(gate("ok", timeout="72h"), python("a", dependsOn=["ok"])))
        await asked(world)
        await world.quiet(10)
        assert await world.quiet(2 * 86400) == []
        await world.answer(decision="Approved")
        assert (await world.finished(within=60))["phase"] == "Succeeded"


@virtual
async def test_two_votes_of_two() -> None:
    async with World() as world:
        world.start()
        approvers = {"users": ["ann", "bob"], "required": 2}
        await world.submit(spec(gate("ok", approvers=approvers), python("a", dependsOn=["ok"])))
        await asked(world)
        await world.answer(votes={"ann": {"decision": "Approved"}})
        await world.quiet(60)
        assert world.node("ok")["phase"] == "Waiting"
        assert the_approval(world)["status"]["votes"] == "1/2"
        await world.answer(votes={"bob": {"decision": "Approved"}})
        assert (await world.finished(within=60))["phase"] == "Succeeded"
