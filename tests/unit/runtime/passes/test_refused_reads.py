"""What cannot be read holds up only what needs it, and the run says so (S85)."""

from typing import Any

import pytest
from waypost.ports.cluster import (
    Busy,
    ClusterError,
    Kind,
    Obj,
    RefusedForNow,
    Rejected,
    Unavailable,
)

from tests.fakes.nodes.programs import Outcome
from tests.support.builders import agent, container, gate, python, spec, wait
from tests.support.harness import World, gives, hangs
from tests.support.refusals import FORBIDDEN, Refusal, says_unread
from tests.support.virtual import virtual

LARGE = "x" * 3000
ERRORS: list[Any] = [
    pytest.param(FORBIDDEN, id="rbac"),
    pytest.param(RefusedForNow("failed calling webhook: refused", code=500), id="webhook"),
    pytest.param(Unavailable("internal error", code=500), id="500"),
    pytest.param(Busy("too many requests", retry_after=1.0), id="429"),
    pytest.param(None, id="timeout"),
]


def words(error: ClusterError | None) -> str:
    return error.message if error is not None else "the request timed out"


async def until_ended(world: World, path: str) -> None:
    await world.until(lambda: "finishedAt" in world.node(path), path, within=120)


# Not in the pass that stores the record, which has it in memory.
GAP = wait("gap", duration="3s")
NEEDS: Obj = {"inputs": {"x": "${nodes.a.output}"}, "dependsOn": ["gap"]}


@pytest.mark.parametrize("error", ERRORS)
@virtual
async def test_s85_only_the_node_that_reads_a_record_waits_for_it(
    error: ClusterError | None,
) -> None:
    async with World(script={"a": [gives(LARGE)], "slow": [hangs()]}) as world:
        refused = Refusal(world.start(), error, Kind.NODE_RECORD, verb="get")
        nodes = [
            GAP,
            python("a"),
            python("b", **NEEDS),
            python("after", after=["a"], dependsOn=["a"]),
            wait("pause", duration="30s"),
            python("unrelated", dependsOn=["pause"]),
            container("slow", timeout="60s", onFailure="Continue"),
            gate("ask", onDenied="Continue", timeout="50s"),
        ]
        await world.submit(spec(*nodes))
        node = await says_unread(world, "b")
        record = world.node("a")["outputRecord"]
        assert node["phase"] == "Pending"
        assert f"NodeRecord {record} cannot be read: {words(error)}" in node["message"]
        assert "b: ReadRejected: " in world.condition("Reconciling")["message"]
        permanent = type(error) is Rejected
        assert world.condition("Stalled")["status"] == str(permanent)
        if permanent:
            assert "allow the operator to read it" in world.condition("Stalled")["message"]
        for path in ("after", "unrelated", "slow", "ask"):
            await until_ended(world, path)
        assert world.node("after")["phase"] == "Succeeded", "it does not read the record"
        assert world.node("slow")["reason"] == "Timeout"
        before = refused.count
        await world.quiet(600)
        assert 4 <= refused.count - before <= 60, "it is tried again, and not all the time"
        refused.on = False
        status = await world.finished(within=150)
        assert status["phase"] == "Succeeded"
        assert world.work.pods("b")[0].inputs == {"x": LARGE}
        assert "reason" not in world.node("b")
        assert world.condition("Stalled")["status"] == "False"


@pytest.mark.parametrize("error", ERRORS)
@virtual
async def test_s85_a_cancel_ends_the_run(error: ClusterError | None) -> None:
    async with World(script={"a": [gives(LARGE)], "slow": [hangs()]}) as world:
        Refusal(world.start(), error, Kind.NODE_RECORD, verb="get")
        nodes = [GAP, python("a"), python("b", **NEEDS), container("slow")]
        await world.submit(spec(*nodes, outputs={"r": "${nodes.a.output}"}))
        await says_unread(world, "b")
        await world.quiet(30)
        await world.patch_run({"cancel": True})
        status = await world.finished(within=60)
        assert status["phase"] == "Cancelled"
        assert "r" not in status.get("outputs", {})


@pytest.mark.parametrize("error", ERRORS)
@virtual
async def test_s85_deadlines_end_the_node_and_the_run(error: ClusterError | None) -> None:
    async with World(script={"a": [gives(LARGE)]}) as world:
        Refusal(world.start(), error, Kind.NODE_RECORD, verb="get")
        nodes = [
            GAP,
            python("a"),
            python("b", **NEEDS, deadline="90s", onFailure="Continue"),
            python("c", **NEEDS),
        ]
        await world.submit(spec(*nodes, deadline="3m"))
        await world.until(lambda: "finishedAt" in world.node("b"), "its deadline", within=110)
        assert world.node("b")["reason"] == "DeadlineExceeded"
        assert "ReadRejected" in world.node("b")["message"]
        assert "finishedAt" not in world.node("c")
        status = await world.finished(within=120)
        assert (status["phase"], world.condition("Succeeded")["reason"]) == (
            "Failed",
            "DeadlineExceeded",
        )


@pytest.mark.parametrize("end", ["readable", "cancel", "deadline"])
@virtual
async def test_s85_the_outputs_of_a_run_wait_for_their_record(end: str) -> None:
    async with World(script={"a": [gives(LARGE)]}) as world:
        refused = Refusal(world.start(), FORBIDDEN, Kind.NODE_RECORD, verb="get")
        limit = {"deadline": "5m"} if end == "deadline" else {}
        await world.submit(spec(python("a"), GAP, outputs={"r": "${nodes.a.output}"}, **limit))
        await world.until(
            lambda: "outputs: ReadRejected" in world.condition("Reconciling").get("message", ""),
            "the run says why it waits",
            within=60,
        )
        assert world.condition("Stalled")["status"] == "True"
        await world.quiet(60)
        assert not world.is_finished()
        if end == "readable":
            refused.on = False
        elif end == "cancel":
            await world.patch_run({"cancel": True})
        status = await world.finished(within=300 if end == "deadline" else 130)
        outcome = {"readable": "Succeeded", "cancel": "Cancelled", "deadline": "Failed"}
        assert status["phase"] == outcome[end]
        assert status.get("outputs", {}) == ({"r": LARGE} if end == "readable" else {})
        if end == "deadline":
            assert world.condition("Succeeded")["reason"] == "DeadlineExceeded"
            assert "cannot be read" in world.condition("Succeeded")["message"]


@virtual
async def test_s43_a_failed_run_ends_at_its_deadline_with_the_outputs_that_can_be_read() -> None:
    script = {"a": [gives(LARGE)], "b": [lambda pod: Outcome(exit_code=3)]}
    async with World(script=script) as world:
        Refusal(world.start(), FORBIDDEN, Kind.NODE_RECORD, verb="get")
        outputs = {"r": "${nodes.a.output}", "b": "${nodes.b.phase}"}
        nodes = [python("a"), GAP, container("b", dependsOn=["gap"])]
        await world.submit(spec(*nodes, outputs=outputs, deadline="2m"))
        status = await world.finished(within=150)
        assert (status["phase"], status["outputs"]) == ("Failed", {"b": "Failed"})
        assert world.condition("Succeeded")["reason"] == "NodeError"
        assert "left out: r" in world.condition("Succeeded")["message"]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("end", ["readable", "cancel", "deadline"])
@virtual
async def test_s85_an_attempt_whose_result_may_be_in_a_record_is_not_judged(
    end: str, error: ClusterError | None
) -> None:
    async with World(script={"a": [lambda pod: Outcome(exit_code=3)]}) as world:
        refused = Refusal(world.start(), error, Kind.NODE_RECORD, verb="get")
        limit = {"deadline": "2m"} if end == "deadline" else {}
        await world.submit(spec(python("a", **limit), python("b")))
        node = await says_unread(world, "a")
        assert node["phase"] == "Running"
        await world.until(lambda: world.node("b")["phase"] == "Succeeded", "b", within=60)
        if end == "readable":
            refused.on = False
        elif end == "cancel":
            await world.patch_run({"cancel": True})
        await world.finished(within=150)
        expected = {"readable": "NodeError", "cancel": "Cancelled", "deadline": "DeadlineExceeded"}
        assert world.node("a")["reason"] == expected[end]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("kind", [Kind.JOB, Kind.POD])
@virtual
async def test_s85_lists_of_children_that_fail_hold_up_attempts_without_a_pod_alone(
    kind: Kind, error: ClusterError | None
) -> None:
    """The Job of `a` makes no pod, so only a live look can tell what became of it."""
    async with World(script={"late": [hangs()]}) as world:
        operator = world.start()
        world.work.queue_jobs(True)
        nodes = [
            python("a", onFailure="Continue", queueTimeout="3m"),
            wait("pause", duration="70s"),
            python("b", dependsOn=["pause"]),
        ]
        refused = Refusal(operator, error, kind, verb="list")
        await world.submit(spec(*nodes))
        node = await says_unread(world, "a")
        assert words(error) in node["message"]
        world.work.queue_jobs(False)
        refused_before = refused.count
        await world.until(lambda: world.node("b").get("phase") == "Succeeded", "b", within=120)
        assert refused.count - refused_before < 40
        refused.on = False
        assert (await world.finished(within=400))["phase"] == "Succeeded"


@pytest.mark.parametrize("error", ERRORS)
@virtual
async def test_s85_finally_says_why_it_does_not_begin(error: ClusterError | None) -> None:
    async with World() as world:
        Refusal(world.start(), error, Kind.POD, verb="list")
        clean = {"finally": [python("clean")], "finallyDeadline": "3m"}
        await world.submit(spec(python("a"), **clean))
        node = await says_unread(world, "clean", within=90)
        assert words(error) in node["message"]
        await world.finished(within=200)
        assert world.node("clean")["reason"] == "DeadlineExceeded"


@pytest.mark.parametrize("error", ERRORS)
@virtual
async def test_s85_approvals_that_cannot_be_listed(error: ClusterError | None) -> None:
    """The Approval is deleted while the watch is late: only a list can tell."""
    async with World() as world:
        refused = Refusal(world.start(), error, Kind.APPROVAL, verb="list")
        await world.submit(spec(gate("ok"), python("b")))
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "asked", within=30)
        await world.delete(Kind.APPROVAL, world.all(Kind.APPROVAL)[0]["metadata"]["name"])
        node = await says_unread(world, "ok")
        assert words(error) in node["message"]
        await world.until(lambda: world.node("b")["phase"] == "Succeeded", "b", within=30)
        refused.on = False
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "asked again", within=150)
        await world.answer(decision="Approved")
        assert (await world.finished(within=60))["phase"] == "Succeeded"
        assert "reason" not in world.node("ok")


@virtual
async def test_s85_a_cancel_withdraws_a_gate_whose_approval_cannot_be_listed() -> None:
    async with World() as world:
        Refusal(world.start(), FORBIDDEN, Kind.APPROVAL, verb="list")
        await world.submit(spec(gate("ok")))
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "asked", within=30)
        await world.delete(Kind.APPROVAL, world.all(Kind.APPROVAL)[0]["metadata"]["name"])
        await says_unread(world, "ok")
        await world.quiet(30)
        await world.patch_run({"cancel": True})
        assert (await world.finished(within=60))["phase"] == "Cancelled"


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "silent"])
@virtual
async def test_s85_a_question_that_cannot_be_compared_expires_and_is_not_approved(
    answered: bool,
) -> None:
    async with World(script={"a": [gives("y" * 3000)]}) as world:
        first = world.start()
        more = {"timeout": "120s", "onDenied": "Continue"}
        await world.submit(spec(python("a"), gate("ok", message="${nodes.a.output}", **more)))
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "asked", within=30)
        first.die()  # it has the record in memory
        refused = Refusal(world.start(), FORBIDDEN, Kind.NODE_RECORD, verb="get")
        await world.quiet(10)
        if answered:
            await world.answer(decision="Approved")
            await says_unread(world, "ok")
            await world.quiet(200)
            assert world.node("ok")["phase"] == "Waiting"
            refused.on = False
        status = await world.finished(within=300)
        assert status["phase"] == "Succeeded"
        assert world.node("ok")["output"]["decision"] == ("Approved" if answered else "Denied")


@virtual
async def test_s85_a_loop_keeps_an_iteration_that_until_cannot_judge() -> None:
    async with World(script={"a": [gives(LARGE)], "b": [gives(1)]}) as world:
        operator = world.start()
        loop = {"until": "${self.output > 0 && size(nodes.a.output) > 10}", "max": 3}
        await world.submit(
            spec(python("a"), wait("w", duration="20s"), python("b", dependsOn=["w"], repeat=loop))
        )
        await world.until(lambda: world.node("b").get("phase") == "Running", "it runs", within=60)
        operator.die()
        refused = Refusal(world.start(), FORBIDDEN, Kind.NODE_RECORD, verb="get")
        node = await says_unread(world, "b")
        assert node["phase"] == "Running"
        refused.on = False
        assert (await world.finished(within=200))["phase"] == "Succeeded"
        assert len(world.ledger.of("b")) == 1


@virtual
async def test_s85_a_reference_that_cannot_be_read_live_is_not_missing() -> None:
    """At the end of queueTimeout only a live read may say that a provider does not exist."""
    async with World() as world:
        refused = Refusal(world.start(), FORBIDDEN, Kind.MODEL_PROVIDER, verb="list")
        await world.submit(spec(agent("a", queueTimeout="60s"), python("b")))
        await world.until(lambda: world.node("b").get("phase") == "Succeeded", "b", within=30)
        await world.quiet(120)
        assert world.node("a")["phase"] == "Pending"
        assert refused.count < 30
        refused.on = False
        await world.finished(within=150)
        assert world.node("a")["reason"] == "MissingReference"
