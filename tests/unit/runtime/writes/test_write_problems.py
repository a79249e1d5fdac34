"""One child that cannot be written or read stops no other decision about its run (K1)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.api.meta import FINALIZER_RESULT as MARK
from waypost.kube.objects import lists
from waypost.ports.cluster import (
    ClusterError,
    Kind,
    Obj,
    QuotaExceeded,
    Rejected,
    Unavailable,
)
from waypost.protocol import ijson

from tests.fakes.nodes.programs import Outcome
from tests.support.builders import container, gate, python, spec, wait
from tests.support.harness import Call, World, gives, hangs
from tests.support.refusals import Refusal
from tests.support.virtual import virtual

LARGE = "x" * 3000
DIGEST_OF_Y = ijson.digest("y" * 3000)
QUOTA = QuotaExceeded("exceeded quota: no-records", code=403, reason="Forbidden")
POLICY = Rejected("admission webhook denied the request: no records", code=403)
WEBHOOK = Unavailable('failed calling webhook "records"', code=500)
PASSING = [pytest.param(QUOTA, id="quota"), pytest.param(WEBHOOK, id="500")]


@pytest.mark.parametrize("error", PASSING)
@virtual
async def test_a_result_that_cannot_be_kept_is_shown_held_and_kept_later(
    error: ClusterError,
) -> None:
    """S69"""
    async with World(script={"a": [gives(LARGE)]}) as world:
        refusal = Refusal(world.start(), error, Kind.NODE_RECORD)
        await world.submit(spec(python("a"), python("b", inputs={"x": "${nodes.a.output}"})))
        await world.until(
            lambda: world.node("a").get("reason") == "RecordRejected", "it is shown", within=60
        )
        assert error.message in world.node("a")["message"]
        assert error.message in world.condition("Reconciling")["message"]
        await world.until(lambda: "RecordRejected" in events(world), "an Event", within=10)
        await world.quiet(600)
        assert world.node("a")["phase"] == "Running"
        assert world.all(Kind.POD), "its pod holds the result"
        assert refusal.count < 100, "it is not asked for all the time"
        refusal.on = False
        assert (await world.finished(within=60))["phase"] == "Succeeded"
        assert "reason" not in world.node("a")
        assert world.work.pods("b")[0].inputs == {"x": LARGE}
        assert len(world.ledger.executions) == 2


@virtual
async def test_a_result_that_is_refused_for_good_fails_its_node_alone() -> None:
    async with World(script={"a": [gives(LARGE)]}) as world:
        Refusal(world.start(), POLICY, Kind.NODE_RECORD)
        nodes = [python("a", onFailure="Continue", retry={"limit": 3}), python("b")]
        await world.submit(spec(*nodes))
        status = await world.finished(within=60)
        ends = [(n["phase"], n.get("reason"), n["attempt"]) for n in status["nodes"]]
        assert ends == [("Failed", "RecordRejected", 1), ("Succeeded", None, 1)]
        assert "no records" in world.node("a")["message"]


@virtual
async def test_everything_else_of_the_run_goes_on() -> None:
    async with World(script={"a": [gives(LARGE)], "slow": [hangs()]}) as world:
        Refusal(world.start(), QUOTA, Kind.NODE_RECORD)
        nodes = [
            python("a"),
            wait("pause", duration="15s"),
            python("unrelated", dependsOn=["pause"]),
            container("slow", timeout="20s", onFailure="Continue"),
        ]
        await world.submit(spec(*nodes, deadline="90s"))
        await world.until(
            lambda: world.node("unrelated").get("phase") == "Succeeded", "it runs", within=60
        )
        await world.until(lambda: world.node("slow").get("reason") == "Timeout", "ends", within=60)
        status = await world.finished(within=150)
        assert status["phase"] == "Failed"
        assert world.node("a")["reason"] == "DeadlineExceeded"
        assert "no-records" in world.node("a")["message"], "it says what kept it"


@pytest.mark.parametrize("error", PASSING)
@virtual
async def test_cancel_works(error: ClusterError) -> None:
    async with World(script={"a": [gives(LARGE)]}) as world:
        Refusal(world.start(), error, Kind.NODE_RECORD)
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(world.node("a").get("reason")), "it is shown", within=60)
        await world.quiet(40)
        await world.patch_run({"cancel": True})
        assert (await world.finished(within=20))["phase"] == "Cancelled"
        await world.until(lambda: not held(world), "its pod is let go", within=30)


def held(world: World) -> list[Obj]:
    return [p for p in world.all(Kind.POD) if lists(p["metadata"].get("finalizers"), MARK)]


def events(world: World) -> list[str]:
    return [event["reason"] for event in world.all(Kind.EVENT)]


@virtual
async def test_a_node_deadline_ends_a_node_whose_result_cannot_be_kept() -> None:
    async with World(script={"a": [gives(LARGE)]}) as world:
        Refusal(world.start(), QUOTA, Kind.NODE_RECORD)
        await world.submit(spec(python("a", deadline="2m", onFailure="Continue"), python("b")))
        status = await world.finished(within=180)
        assert status["phase"] == "Succeeded"
        assert world.node("a")["reason"] == "DeadlineExceeded"


# --- gates ---------------------------------------------------------------------------------------


@virtual
async def test_a_gate_that_cannot_be_asked_says_why_and_expires() -> None:
    async with World() as world:
        Refusal(world.start(), QUOTA, Kind.APPROVAL)
        await world.submit(
            spec(gate("g", timeout="60s", onDenied="Continue"), python("b", after=["g"]))
        )
        await world.until(lambda: bool(world.node("g").get("reason")), "it is shown", within=30)
        shown = world.condition("AwaitingApproval")["message"]
        assert "exceeded quota" in shown
        assert "kubectl patch" not in shown, "there is nothing to answer"
        status = await world.finished(within=90)
        assert status["phase"] == "Succeeded"
        assert world.node("g")["output"]["expired"] is True


@virtual
async def test_a_gate_is_asked_once_that_is_allowed() -> None:
    async with World() as world:
        refusal = Refusal(world.start(), QUOTA, Kind.APPROVAL)
        await world.submit(spec(gate("g")))
        await world.until(lambda: bool(world.node("g").get("reason")), "it is shown", within=30)
        refusal.on = False
        await world.answer(decision="Approved")
        assert (await world.finished(within=90))["phase"] == "Succeeded"


@pytest.mark.parametrize("error", [*PASSING, pytest.param(POLICY, id="policy")])
@virtual
async def test_a_gate_whose_answer_cannot_be_settled(error: ClusterError) -> None:
    async with World() as world:
        refusal = Refusal(world.start(), error, Kind.APPROVAL, verb="patch_status")
        await world.submit(spec(gate("g", onFailure="Continue"), python("b")))
        await world.answer(decision="Approved")
        await world.until(
            lambda: world.node("g").get("reason") == "RecordRejected", "it is shown", within=60
        )
        assert error.message in world.node("g")["message"]
        await world.until(lambda: world.node("b")["phase"] == "Succeeded", "b continues", within=30)
        if error is POLICY:
            assert world.node("g")["phase"] == "Failed"
            return
        refusal.on = False
        await world.finished(within=90)
        assert world.node("g")["output"]["decision"] == "Approved"


@virtual
async def test_a_gate_whose_vote_could_not_be_counted_forgets_the_trouble() -> None:
    async with World() as world:
        refusal = Refusal(world.start(), WEBHOOK, Kind.APPROVAL, verb="patch_status")
        approvers = {"users": ["ann", "ben"], "required": 2}
        await world.submit(spec(gate("g", approvers=approvers)))
        await world.answer(votes={"ann": {"decision": "Approved"}})
        await world.until(lambda: bool(world.node("g").get("reason")), "it is shown", within=60)
        refusal.on = False
        await world.until(lambda: "reason" not in world.node("g"), "forgotten", within=60)
        assert world.node("g")["phase"] == "Waiting"


@pytest.mark.parametrize("error", [*PASSING, pytest.param(POLICY, id="policy")])
@virtual
async def test_cancel_does_not_wait_for_an_approval_that_cannot_be_written(
    error: ClusterError,
) -> None:
    async with World() as world:
        refusal = Refusal(world.start(), error, Kind.APPROVAL, verb="patch_status")
        refusal.on = False
        await world.submit(spec(gate("g")))
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "asked", within=30)
        refusal.on = True
        await world.patch_run({"cancel": True})
        assert (await world.finished(within=60))["phase"] == "Cancelled"


# --- records that are there, or no longer ---------------------------------------------------------


@virtual
async def test_a_record_of_ours_with_another_digest_is_the_result() -> None:
    """Two pods of one attempt, and another operator saw the other one first."""
    async with World(script={"a": [gives(LARGE)]}) as world:
        operator = world.start()
        made: list[Obj] = []

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "create" and call.kind is Kind.NODE_RECORD and not made:
                await send()
                body = world.cluster.server.storage.read(Kind.NODE_RECORD, "default", call.name)
                assert body is not None
                made.append(body)
                spec_ = {**body["spec"], "data": "y" * 3000, "digest": DIGEST_OF_Y}
                world.cluster.server.storage.write(Kind.NODE_RECORD, {**body, "spec": spec_})
                raise Unavailable("the connection was reset")
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(python("a"), python("b", inputs={"x": "${nodes.a.output}"})))
        assert (await world.finished(within=60))["phase"] == "Succeeded"
        assert world.node("a")["outputDigest"] == DIGEST_OF_Y
        assert world.work.pods("b")[0].inputs == {"x": "y" * 3000}


@pytest.mark.parametrize("restart", [False, True], ids=["same-operator", "next-operator"])
@virtual
async def test_a_record_that_is_gone_fails_who_needs_it(restart: bool) -> None:
    async with World(script={"a": [gives(LARGE)], "c": [gives(1, seconds=60)]}) as world:
        operator = world.start()
        nodes = [
            python("a"),
            python("c"),
            python("b", inputs={"x": "${nodes.a.output}"}, dependsOn=["c"], onFailure="Continue"),
            python("d", dependsOn=["a", "c"]),
        ]
        await world.submit(spec(*nodes, outputs={"r": "${nodes.a.output}"}))
        await world.until(lambda: bool(world.node("a").get("outputRecord")), "kept", within=30)
        name = world.node("a")["outputRecord"]
        await world.delete(Kind.NODE_RECORD, name)
        if restart:
            operator.die()
            world.start()
        status = await world.finished(within=200)
        assert status["phase"] == "Succeeded"
        assert world.node("d")["phase"] == "Succeeded", "it does not read it"
        if restart:  # the first operator has it in memory
            assert (world.node("b")["phase"], world.node("b")["reason"]) == ("Failed", "ResultLost")
            assert name in world.node("b")["message"]


@virtual
async def test_logs_that_cannot_be_read_are_left_out() -> None:
    async with World(script={"a": [lambda pod: Outcome(exit_code=3)]}) as world:
        Refusal(
            world.start(), Unavailable("kubelet: no route", code=502), Kind.POD, verb="read_log"
        )
        await world.submit(spec(container("a")))
        status = await world.finished(within=30)
        assert (status["phase"], world.node("a")["reason"]) == ("Failed", "NodeError")


@virtual
async def test_a_job_that_cannot_be_suspended_is_stopped_by_its_pod() -> None:
    async with World(script={"a": [hangs()]}) as world:
        Refusal(world.start(), POLICY, Kind.JOB, verb="patch")
        await world.submit(spec(container("a", timeout="10s")))
        status = await world.finished(within=120)
        assert world.node("a")["reason"] == "Timeout"
        assert status["phase"] == "Failed"


@virtual
async def test_a_pod_that_cannot_be_released_is_shown() -> None:
    async with World() as world:
        operator = world.start()
        Refusal(operator, POLICY, Kind.POD, verb="patch")
        await world.submit(spec(python("a"), python("b", dependsOn=["a"])))
        assert (await world.finished(within=30))["phase"] == "Succeeded"
        await world.until(lambda: "ActionRefused" in events(world), "an Event", within=10)
        assert operator.controller.set_aside.count("Failing") == 0


@virtual
async def test_a_record_that_stands_already_counts_under_a_quota() -> None:
    """The operator was killed between the record and the status; the quota is full since."""
    async with World(script={"a": [gives(LARGE)]}) as world:
        first = world.start()
        refused = world.cluster.server.refusals

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            answer = await send()
            if call.verb == "create" and call.kind is Kind.NODE_RECORD:
                refused["create", Kind.NODE_RECORD] = lambda: QUOTA
                first.die()
            return answer

        first.line.intercept = intercept
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(refused), "the record is there", within=30)
        world.start()
        assert (await world.finished(within=60))["phase"] == "Succeeded"


@pytest.mark.parametrize("kind", [Kind.JOB, Kind.CONFIG_MAP])
@virtual
async def test_a_child_whose_create_is_not_answered_is_named_within_a_minute(kind: Kind) -> None:
    """A webhook that breaks: the API server answers 500, which says nothing of the child."""
    async with World(script={"a": [gives(1)]}) as world:
        refusal = Refusal(world.start(), WEBHOOK, kind)
        await world.submit(spec(python("a", inputs={"x": "y" * 9000})))
        await world.until(
            lambda: world.node("a").get("reason") == "LaunchRejected", "it is shown", within=60
        )
        assert WEBHOOK.message in world.node("a")["message"]
        refusal.on = False
        assert (await world.finished(within=120))["phase"] == "Succeeded"
        assert "reason" not in world.node("a")
        assert len(world.ledger.executions) == 1
