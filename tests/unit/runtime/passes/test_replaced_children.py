"""Child runs and attempts that a round or a person replaces before they have ended (S200 to
S207).
"""

from dataclasses import replace
from functools import partial

import pytest
from waypost.api.state.child import ChildStatus
from waypost.api.template.called import Called
from waypost.engine.decide import decide
from waypost.engine.run.entry import Active
from waypost.engine.state.decision import PatchChild
from waypost.kube.facts.children import ChildFact
from waypost.kube.manifests.pod import PodSettings
from waypost.kube.timestamps import timestamp
from waypost.ports.cluster import Kind, Obj

from tests.support import builders
from tests.support.builders import gate, python, spec, wait
from tests.support.children import CHILD, DOUBLE, PARENT, calls, child, patch_child, ran
from tests.support.harness import World, fails, gives, hangs
from tests.support.refusals import FORBIDDEN, Refusal
from tests.support.templates import REVIEW, create_template
from tests.support.virtual import virtual


def _in_round(world: World, number: int) -> bool:
    return world.status().get("round") == number


@virtual
async def test_s207_a_round_that_makes_it_a_program_stops_its_child_first() -> None:
    async with World(script={"twice": [hangs()], "check": [gives(1)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await world.until(lambda: ran(world) == ["twice"], "the program of the child run runs")
        changed = spec(python("check"), rerun={"round": 2})
        await world.patch_run({**changed, "outputs": None})
        await world.until(lambda: "check" in ran(world), "the program of the run starts")
        assert child(world)["status"]["phase"] == "Cancelled"
        status = await world.finished()
        assert (status["phase"], ran(world)) == ("Succeeded", ["twice", "check"])
        assert "child" not in world.node("check")


@virtual
async def test_s207_a_round_that_makes_it_a_child_run_stops_its_program_first() -> None:
    async with World(script={"check": [hangs()], "twice": [gives(8)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(spec(python("check")))
        await world.until(lambda: ran(world) == ["check"], "the program runs")
        await world.patch_run({**PARENT, "rerun": {"round": 2}})
        await world.until(lambda: bool(child(world)), "the child run exists")
        (attempt,) = world.node("check")["attempts"]
        assert attempt["reason"] == "Superseded"
        status = await world.finished()
        assert status["outputs"] == {"got": 8}
        await world.quiet(5)
        for pod in world.all(Kind.POD):
            assert not pod["metadata"].get("finalizers"), pod["metadata"]["name"]


@virtual
async def test_s200_a_child_run_never_has_the_name_of_one_of_an_earlier_round() -> None:
    """The node is a child run, a program, and a child run with the same template and inputs."""
    async with World(script={"twice": [gives(8)], "check": [gives(1)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        await world.finished()
        for round_, node in ((2, python("check")), (3, PARENT["nodes"][0])):
            outputs = PARENT["outputs"] if round_ == 3 else None
            await world.patch_run({"nodes": [node], "outputs": outputs, "rerun": {"round": round_}})
            await world.until(partial(_in_round, world, round_), "the round begins")
            await world.finished()
        assert ran(world) == ["twice", "check", "twice"]
        assert world.status()["outputs"] == {"got": 8}
        assert world.node("check")["child"]["generation"] == 2


@virtual
@pytest.mark.parametrize(
    "node",
    [
        pytest.param(wait("a"), id="wait"),
        pytest.param(gate("a"), id="approval"),
        pytest.param(calls("a", inputs={"n": 1}), id="workflow"),
    ],
)
async def test_an_attempt_without_a_pod_ends_when_its_node_has_none_any_more(node: Obj) -> None:
    async with World() as world:
        world.start()
        await create_template(world, DOUBLE)
        held = world.cluster.hold("create", Kind.JOB)
        await world.submit(spec(python("a")))
        await world.until(lambda: bool(world.node("a").get("attempts")), "the attempt is recorded")
        await world.patch_run({"nodes": [node], "rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2, "the round begins", within=30)
        await world.until(
            lambda: bool(world.node("a")["attempts"][0].get("finishedAt")),
            "the attempt ends",
            within=60,
        )
        assert world.node("a")["phase"] != "Superseding"
        held.open()


CHANGED = ChildFact(
    name="r-check",
    uid="c",
    owner_uid="u",
    resource_version="1",
    path="check",
    template=Called(REVIEW),
    inputs_digest="d",
    phase="Succeeded",
    finished=True,
    round=2,
    outputs={"double": 18},
)


def test_s205_the_result_of_a_child_with_other_inputs_does_not_count() -> None:
    """The child run succeeds after the status says ChildChanged, before the cancel reaches it."""
    named = ChildStatus(name="r-check", uid="c", generation=1, round=1, stopping="ChildChanged")
    node = builders.node_status("check", "Running", child=named)
    run = builders.observed(
        spec(calls("check")), status=builders.status(node), children={"r-check": CHANGED}
    )
    decision = decide(Active(run, False), builders.NOW, PodSettings(runner_image="runner:test"))
    (ended,) = decision.status.nodes
    assert (ended.phase, ended.reason) == ("Failed", "ChildChanged")


def test_s204_a_release_is_looked_at_again_before_a_ttl_of_zero_deletes_the_run() -> None:
    """The patch that releases the child run can fail."""
    named = ChildStatus(name="r-check", uid="c", generation=1, round=1)
    node = builders.node_status("check", "Succeeded", child=named, output={})
    finished = builders.status(node, phase="Succeeded", finished_at=timestamp(builders.NOW))
    fact = replace(CHANGED, finalizers=(CHILD,), round=1)
    run = builders.observed(
        spec(calls("check"), ttlSecondsAfterFinished=0),
        status=finished,
        children={"r-check": fact},
    )
    decision = decide(Active(run, False), builders.NOW, PodSettings(runner_image="runner:test"))
    assert [type(action) for action in decision.after] == [PatchChild]
    assert decision.requeue_at is not None
    assert decision.requeue_at <= builders.after(5)


@virtual
async def test_s204_a_child_run_is_released_also_if_the_spec_is_rejected_since() -> None:
    async with World(script={"twice": [gives(8)]}) as world:
        first = world.start()
        await create_template(world, DOUBLE)
        Refusal(first, FORBIDDEN, Kind.AGENT_WORKFLOW, verb="patch")
        await world.submit(PARENT)
        await world.finished()
        assert CHILD in child(world)["metadata"]["finalizers"]
        unknown = spec(python("b", dependsOn=["none"]), rerun={"round": 2})
        await world.patch_run({**unknown, "outputs": None})
        await world.until(
            lambda: "none" in world.condition("Accepted")["message"], "it is rejected"
        )
        first.die()
        world.start()
        await world.until(
            lambda: CHILD not in child(world)["metadata"].get("finalizers", []),
            "it is released",
            within=30,
        )


@virtual
async def test_s207_a_round_of_the_child_alone_changes_nothing_in_the_parent() -> None:
    """A person has repaired the child run; the next round of the parent takes its result."""
    async with World(script={"twice": [fails(), gives(8)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(PARENT)
        assert (await world.finished())["phase"] == "Failed"
        await world.quiet(5)
        await patch_child(world, {"rerun": {"round": 2}})
        await world.until(lambda: child(world)["status"]["phase"] == "Succeeded", "it is repaired")
        await world.quiet(60)
        assert (world.status()["phase"], world.node("check")["reason"]) == ("Failed", "ChildFailed")
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2, "the round begins")
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 8})
        assert ran(world) == ["twice", "twice"], "nothing ran again"


@virtual
async def test_s207_a_failed_child_with_pause_continues_in_a_round_of_the_parent() -> None:
    paused = {**PARENT, "nodes": [{**PARENT["nodes"][0], "onFailure": "Pause"}]}
    async with World(script={"twice": [fails(), gives(8)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(paused)
        await world.until(lambda: world.status().get("phase") == "Paused", "a person is needed")
        assert world.node("check")["reason"] == "ChildFailed"
        await world.quiet(60)
        await world.patch_run({"rerun": {"round": 2}})
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 8})
        assert world.node("check")["child"]["generation"] == 1, "its checkpoints stay"
