"""Nodes of finally, played on a simulated cluster: docs/finally.md and S120 to S133.

Each case names the complaint about another system that it answers, where there is one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.kube.timestamps import parse_timestamp
from waypost.ports.cluster import Kind

from tests.fakes.api.watch import IMMEDIATE
from tests.fakes.nodes.programs import Outcome, PodView, Program
from tests.support import reference
from tests.support.builders import agent, python, spec, wait
from tests.support.harness import Script, World, fails, gives, hangs
from tests.support.virtual import virtual
from tests.unit.runtime.cache.test_endpoint_cache import MAIN
from tests.unit.runtime.passes.test_crashes import Saboteur
from tests.unit.runtime.test_probe_controller import OK, make, says

Act = Callable[[World], Awaitable[None]]

CLEAN = python(
    "clean",
    inputs={
        "phase": "${run.phase}",
        "reason": "${run.reason}",
        "message": "${run.message}",
        "failures": "${run.failures}",
        "work": "${nodes.work.?output.orValue(null)}",
    },
)


async def cancel(world: World) -> None:
    await world.until(lambda: bool(world.ledger.of("work")), "work runs")
    await world.patch_run({"cancel": True})


async def nothing(world: World) -> None:
    """For cases in which nobody does anything."""


@dataclass(frozen=True)
class Case:
    """A run with finally, and what it must have come to."""

    reason: str
    script: Script
    run: str
    run_reason: str
    finally_: str = "True"
    clean: str = "Succeeded"
    fields: JsonObject = field(default_factory=dict)
    last: tuple[JsonObject, ...] = (CLEAN,)
    nodes: tuple[JsonObject, ...] = (python("work"),)
    act: Act = nothing
    verdict: str = ""


def seen_in(pods: list[PodView]) -> Program:
    """A program that succeeds and leaves its pod in `pods`."""

    def program(pod: PodView) -> Outcome:
        pods.append(pod)
        return pod.succeeds()

    return program


CASES = {
    "S120-success": Case(
        reason="finally runs after a success",
        script={"work": [gives({"id": "w1"})]},
        run="Succeeded",
        run_reason="Completed",
    ),
    "S120-failure": Case(
        reason="finally runs after a failure, and the reason stays that of the node",
        script={"work": [fails()]},
        run="Failed",
        run_reason="NodeError",
    ),
    "S120-cancel-argo-workflows-1405": Case(
        reason="the exit handler of another system does not run when the workflow is terminated",
        script={"work": [hangs()]},
        act=cancel,
        run="Cancelled",
        run_reason="Cancelled",
    ),
    "S122-deadline-argo-workflows-3155-13252": Case(
        reason="a deadline kills the exit handler of another system, or keeps it from running",
        script={"work": [hangs()], "clean": [gives(seconds=120)]},
        fields={"deadline": "30s"},
        run="Failed",
        run_reason="DeadlineExceeded",
    ),
    "S122-finally-deadline": Case(
        reason="finally has a clock, and a clean-up that it stops has failed",
        script={"clean": [hangs()]},
        fields={"finallyDeadline": "1m"},
        run="Failed",
        run_reason="FinallyFailed",
        finally_="False",
        clean="Cancelled",
        verdict="Succeeded",
    ),
    "S124-failure-in-finally-argo-workflows-5835": Case(
        reason="an exit handler that errors leaves a workflow of another system running",
        script={"clean": [fails()]},
        run="Failed",
        run_reason="FinallyFailed",
        finally_="False",
        clean="Failed",
        verdict="Succeeded",
    ),
    "S124-failure-in-both": Case(
        reason="the reason of the run is that of the first failure; the condition has the other",
        script={"work": [fails()], "clean": [fails("OutputInvalid")]},
        run="Failed",
        run_reason="NodeError",
        finally_="False",
        clean="Failed",
    ),
    "S124-tolerated": Case(
        reason="onFailure: Continue is for a clean-up that may fail",
        script={"clean": [fails()]},
        last=({**CLEAN, "onFailure": "Continue"},),
        run="Succeeded",
        run_reason="Completed",
        clean="Failed",
    ),
    "S124-retried": Case(
        reason="nodes of finally are retried like others",
        script={"clean": [fails(), gives()]},
        last=({**CLEAN, "retry": {"limit": 1}},),
        run="Succeeded",
        run_reason="Completed",
    ),
    "S121-outputs-see-finally": Case(
        reason="outputs are evaluated after finally and may read it",
        script={"clean": [gives(7)]},
        fields={"outputs": {"freed": "${nodes.clean.output}"}},
        run="Succeeded",
        run_reason="Completed",
    ),
    "S121-outputs-break-the-schema": Case(
        reason="the other way in which a verdict of success becomes a failure",
        script={"clean": [gives("seven")]},
        fields={
            "outputs": {"freed": "${nodes.clean.output}"},
            "outputSchema": {"properties": {"freed": {"type": "integer"}}},
        },
        run="Failed",
        run_reason="OutputInvalid",
        verdict="Succeeded",
    ),
    "S123-skipped-by-when-argo-workflows-3081": Case(
        reason="a hook of another system runs for a step that never ran; a condition prevents that",
        script={"work": [fails()]},
        last=({**CLEAN, "when": "${has(nodes.work.output)}"},),
        run="Failed",
        run_reason="NodeError",
        clean="Skipped",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@virtual
async def test_finally(case: Case) -> None:
    async with World(script=case.script) as world:
        world.start()
        body = spec(*case.nodes, **{"finally": list(case.last), **case.fields})
        await world.submit(body)
        await case.act(world)
        status = await world.finished()
    succeeded = world.condition("Succeeded")
    assert (status["phase"], succeeded["reason"]) == (case.run, case.run_reason), case.reason
    assert world.node("clean")["phase"] == case.clean, case.reason
    assert world.condition("FinallySucceeded")["status"] == case.finally_, case.reason
    assert status["verdict"]["phase"] == (case.verdict or case.run), case.reason
    assert status["stage"] == "Finalizing"
    assert world.node("clean")["stage"] == "Finalizing"
    assert status["progress"] == f"{len(status['nodes'])}/{len(status['nodes'])}"


@virtual
async def test_s121_expressions_see_the_verdict() -> None:
    pods: list[PodView] = []
    script = {"work": [gives({"id": "w1"})], "other": [fails()], "clean": [seen_in(pods)]}
    async with World(script=script) as world:
        world.start()
        body = spec(python("work"), python("other"), **{"finally": [CLEAN]})
        await world.submit(body)
        await world.finished()
    seen = pods[0].inputs
    assert seen["phase"] == "Failed"
    assert seen["reason"] == "NodeError"
    assert "other failed: NodeError" in seen["message"]
    assert [one["node"] for one in seen["failures"]] == ["other"]
    assert seen["work"] == {"id": "w1"}


@virtual
async def test_s120_finally_begins_when_all_nodes_have_ended() -> None:
    """A node that still runs after another one failed is finished and recorded first."""
    script = {"work": [fails()], "slow": [gives(3, seconds=90)]}
    async with World(script=script) as world:
        world.start()
        await world.submit(spec(python("work"), python("slow"), **{"finally": [CLEAN]}))
        await world.until(lambda: world.node("work").get("phase") == "Failed", "work fails")
        assert "verdict" not in world.status()
        assert world.status()["stage"] == "Main"
        status = await world.finished()
    slow, clean = world.node("slow"), world.node("clean")
    assert slow["phase"] == "Succeeded"
    assert clean["startedAt"] >= slow["finishedAt"]
    assert status["verdict"]["at"] == slow["finishedAt"], "one write holds both"


@virtual
async def test_s123_a_run_that_was_never_accepted_has_no_finally() -> None:
    async with World() as world:
        world.start()
        body = spec(python("work", dependsOn=["nobody"]), **{"finally": [python("clean")]})
        await world.submit(body)
        status = await world.finished()
        assert status["phase"] == "Rejected"
        assert world.ledger.executions == []


@virtual
async def test_s125_a_cancel_during_finally_changes_nothing() -> None:
    script = {"clean": [gives(seconds=60)]}
    async with World(script=script) as world:
        world.start()
        await world.submit(spec(python("work"), **{"finally": [CLEAN]}))
        await world.until(lambda: bool(world.ledger.of("clean")), "clean runs")
        before = world.status()["verdict"]
        await world.patch_run({"cancel": True})
        text = "set spec.skipFinally"
        await world.until(lambda: text in world.condition("Finished")["message"], "it says so")
        status = await world.finished()
    assert status["verdict"] == before
    assert status["phase"] == "Succeeded"
    assert world.node("clean")["phase"] == "Succeeded"


@virtual
async def test_s125_skip_finally_stops_it() -> None:
    script = {"clean": [hangs()]}
    async with World(script=script) as world:
        world.start()
        last = [CLEAN, python("later", dependsOn=["clean"])]
        await world.submit(spec(python("work"), **{"finally": last}))
        await world.until(lambda: bool(world.ledger.of("clean")), "clean runs")
        await world.patch_run({"cancel": True, "skipFinally": True})
        status = await world.finished(within=60)
    assert status["phase"] == "Succeeded", "the verdict stays"
    found = world.condition("FinallySucceeded")
    assert (found["status"], found["reason"]) == ("False", "FinallySkipped")
    assert "clean" in found["message"]
    assert [world.node(path)["phase"] for path in ("clean", "later")] == ["Cancelled"] * 2


@virtual
async def test_s125_cancel_with_skip_finally_starts_none_of_it() -> None:
    async with World(script={"work": [hangs()]}) as world:
        world.start()
        await world.submit(spec(python("work"), **{"finally": [CLEAN]}))
        await world.until(lambda: bool(world.ledger.of("work")), "work runs")
        await world.patch_run({"cancel": True, "skipFinally": True})
        status = await world.finished()
        assert [run.path for run in world.ledger.executions] == ["work"]
    assert status["phase"] == "Cancelled"
    assert world.node("clean")["phase"] == "Cancelled"


@virtual
async def test_s126_suspend_starts_nothing_and_the_deadline_counts() -> None:
    script = {"work": [gives(seconds=30)]}
    async with World(script=script) as world:
        world.start()
        body = spec(python("work"), finallyDeadline="2m", **{"finally": [CLEAN]})
        await world.submit(body)
        await world.until(lambda: bool(world.ledger.of("work")), "work runs")
        await world.patch_run({"suspend": True})
        await world.until(lambda: "verdict" in world.status(), "the verdict")
        await asyncio.sleep(60)
        assert world.node("clean")["phase"] == "Pending"
        assert world.status()["phase"] == "Suspended"
        status = await world.finished(within=120)
    assert world.node("clean")["reason"] == "DeadlineExceeded"
    assert world.condition("Succeeded")["reason"] == "FinallyFailed"
    assert status["verdict"]["phase"] == "Succeeded"


@virtual
async def test_s124_a_failure_in_finally_keeps_nothing_else_from_cleaning_up() -> None:
    last = [
        python("one"),
        python("two", after=["one"]),
        python("three", dependsOn=["one"]),
        python("four"),
    ]
    async with World(script={"one": [fails()]}) as world:
        world.start()
        await world.submit(spec(python("work"), **{"finally": last}))
        await world.finished()
    phases = {path: world.node(path)["phase"] for path in ("one", "two", "three", "four")}
    expected = {"one": "Failed", "two": "Succeeded", "three": "Skipped", "four": "Succeeded"}
    assert phases == expected


@virtual
async def test_s127_finally_runs_at_the_end_of_each_round() -> None:
    """Also with effect: once, and with another idempotency key."""
    pods: list[PodView] = []
    script = {"work": [fails(), gives(1)], "clean": [seen_in(pods)]}
    async with World(script=script) as world:
        world.start()
        last = python("clean", effect="once")
        await world.submit(spec(python("work"), **{"finally": [last]}))
        await world.finished()
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status()["round"] == 2, "round 2 begins")
        status = await world.finished()
    assert status["phase"] == "Succeeded"
    assert status["rounds"][0]["phase"] == "Failed"
    assert len(pods) == 2
    assert len({pod.request["idempotencyKey"] for pod in pods}) == 2, (
        "the key of a clean-up has the round in it"
    )
    assert world.node("clean")["disposition"] == "Rerun"


@virtual
async def test_s127_not_while_paused() -> None:
    script = {"work": [fails(), gives(1)]}
    async with World(script=script) as world:
        world.start()
        await world.submit(spec(python("work", onFailure="Pause"), **{"finally": [CLEAN]}))
        await world.until(lambda: world.status().get("phase") == "Paused", "the run is paused")
        await asyncio.sleep(600)
        assert "verdict" not in world.status()
        await world.patch_run({"rerun": {"round": 2}})
        status = await world.finished()
        paths = [run.path for run in world.ledger.executions]
    assert paths == ["work", "work", "clean"], "onFailure: Pause keeps a workspace for the repair"
    assert status["phase"] == "Succeeded"


@virtual
async def test_s128_a_round_that_is_requested_meanwhile_begins_when_finally_has_ended() -> None:
    script = {"work": [fails(), gives(1)], "clean": [gives(seconds=60), gives()]}
    async with World(script=script) as world:
        world.start()
        await world.submit(spec(python("work"), **{"finally": [python("clean")]}))
        await world.until(lambda: bool(world.ledger.of("clean")), "clean runs")
        await world.patch_run({"rerun": {"round": 2}})
        text = "round 2 begins when finally has ended"
        await world.until(
            lambda: text in world.condition("FinallySucceeded")["message"], "a condition says so"
        )
        assert world.status()["round"] == 1
        await world.until(lambda: world.status()["round"] == 2, "round 2 begins")
        status = await world.finished()
        runs = [(run.path, run.started_at) for run in world.ledger.executions]
    assert [path for path, _ in runs] == ["work", "clean", "work", "clean"]
    assert status["phase"] == "Succeeded"
    assert status["rounds"][0]["phase"] == "Failed"


@virtual
async def test_s128_the_next_rounds_spec_does_not_disturb_finally() -> None:
    """The update removes a clean-up that runs and one that waits, and adds another."""
    script = {"work": [fails(), gives(1)], "clean": [gives(seconds=60)]}
    async with World(script=script) as world:
        world.start()
        last = [python("clean"), python("waits", dependsOn=["clean"])]
        await world.submit(spec(python("work"), **{"finally": last}))
        await world.until(lambda: bool(world.ledger.of("clean")), "clean runs")
        nodes = [python("work"), python("more")]
        update = {"nodes": nodes, "finally": [python("new")], "rerun": {"round": 2}}
        await world.patch_run(update)
        await world.until(lambda: world.node("waits").get("phase") == "Cancelled", "it is removed")
        await world.until(lambda: world.status()["round"] == 2, "round 2 begins")
        status = await world.finished()
        paths = [run.path for run in world.ledger.executions]
    assert paths[:2] == ["work", "clean"]
    assert sorted(paths[2:4]) == ["more", "work"]
    assert paths[4:] == ["new"]
    assert {node["path"] for node in status["nodes"]} == {"work", "more", "new"}


@virtual
async def test_s129_finally_waits_for_a_program_that_a_round_removed() -> None:
    """The node is no longer in the spec, and its pod ignores the stop for a while."""
    async with World(script={"old": [hangs(stop_seconds=25)], "work": [gives(1)]}) as world:
        world.start()
        await world.submit(spec(python("work"), python("old"), **{"finally": [CLEAN]}))
        await world.until(lambda: bool(world.ledger.of("old")), "old runs")
        await world.patch_run({"nodes": [python("work")], "rerun": {"round": 2}})
        await world.finished()
        runs = {run.path: run for run in world.ledger.executions}
    assert runs["old"].ended_at is not None
    assert runs["clean"].started_at >= runs["old"].ended_at


@virtual
async def test_s130_agents_in_finally_share_what_is_left_of_the_budget() -> None:
    """Nothing is kept for them while other nodes run."""
    async with World(script={"": [says(OK)]}) as world:
        world.start()
        await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
        body = spec(agent("first"), budget={"tokens": 100}, **{"finally": [agent("report")]})
        await world.submit(body)
        await world.until(lambda: bool(world.node("first").get("attempts")), "first runs")
        (share,) = [a["allotment"]["tokens"] for a in world.node("first")["attempts"]]
        await world.finished()
    assert share == 100


@virtual
async def test_s131_the_run_is_deleted_after_finally_only() -> None:
    script = {"clean": [gives(seconds=120)]}
    async with World(script=script) as world:
        world.start()
        body = spec(python("work"), ttlSecondsAfterFinished=0, **{"finally": [CLEAN]})
        await world.submit(body)
        await world.until(lambda: not world.run(), "the run is deleted")
        clean = world.ledger.of("clean")
        assert clean[0].ended_at is not None


@virtual
async def test_s132_no_finally_after_kubectl_delete() -> None:
    async with World(script={"work": [hangs()]}) as world:
        world.start()
        await world.submit(spec(python("work"), **{"finally": [CLEAN]}))
        await world.until(lambda: bool(world.ledger.of("work")), "work runs")
        await world.delete(Kind.AGENT_WORKFLOW, "brief")
        await world.until(lambda: not world.run(), "the run is gone")
        await asyncio.sleep(120)
        assert [run.path for run in world.ledger.executions] == ["work"]


@virtual
async def test_s122_the_deadline_of_finally_is_an_absolute_time() -> None:
    """An operator that is down does not extend it."""
    async with World(script={"clean": [hangs()]}) as world:
        operator = world.start()
        body = spec(python("work"), wait("w", duration="5s"), finallyDeadline="5m")
        await world.submit({**body, "finally": [CLEAN]})
        await world.until(lambda: bool(world.ledger.of("clean")), "clean runs")
        at = parse_timestamp(world.status()["finallyDeadlineAt"])
        operator.die()
        await asyncio.sleep(240)
        world.start()
        status = await world.finished(within=180)
        assert world.status()["finallyDeadlineAt"] == status["finallyDeadlineAt"]
    finished: Any = parse_timestamp(status["finishedAt"])
    assert at is not None
    assert 0 <= (finished - at).total_seconds() < 60


CRASHED: Script = {"work": [fails()], "clean": [fails(), gives(1)], "more": [gives(2)]}


@virtual
async def crashed(number: int, mode: str, found: list[Any]) -> None:
    """One run with finally, whose operator is disturbed at one of its writes (0: at none)."""
    async with World(script=CRASHED) as world:
        saboteur = Saboteur(world, number=number or 10_000, mode=mode, delivery=IMMEDIATE)
        last = [{**CLEAN, "retry": {"limit": 1}}, python("more", dependsOn=["clean"])]
        await world.submit(spec(python("work"), **{"finally": last}))
        status = await world.finished()
        await world.quiet(30)
        written = len(world.operators[0].line.writes())
        masked: Any = reference.masked(status)
        del masked["verdict"]["at"], masked["finallyDeadlineAt"]
        found.append((masked, written, saboteur.hit))
        assert world.ledger.doubled() == []


@pytest.mark.parametrize("mode", ["before", "after", "twice"])
def test_t2_every_crash_point_of_finally_ends_alike(mode: str) -> None:
    """The operator dies around each of its writes; VF1 holds the verdict and what runs."""
    found: list[Any] = []
    crashed(0, mode, found)
    expected, count, _ = found[0]
    assert count > 12, "enough writes to be worth it"
    for number in range(1, count + 1):
        crashed(number, mode, found)
        masked, _, hit = found[-1]
        assert masked == expected, f"write {number} ({hit}), {mode}"
