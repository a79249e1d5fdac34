"""A run is accepted with a look at the templates that its nodes call (S346 to S349)."""

import pytest
from waypost.kube.objects import section
from waypost.ports.cluster import ClusterError, Kind, Rejected, Unavailable

from tests.support.builders import python, spec
from tests.support.children import DOUBLE, calls, children, ran
from tests.support.harness import RUN, World, gives
from tests.support.templates import REVIEW, RUN_OF, create_template
from tests.support.virtual import virtual

WRONG = spec(calls("check", inputs={"n": "four"}))


async def judged(world: World) -> str:
    """The message of Accepted, once the run was judged."""
    await world.until(lambda: "phase" in section(world.run(), "status"), "it is judged")
    await world.quiet(30)
    return str(world.condition("Accepted")["message"])


@virtual
async def test_s346_a_call_that_does_not_fit_is_rejected() -> None:
    async with World() as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(WRONG)
        message = await judged(world)
        assert world.status()["phase"] == "Rejected"
        assert "nodes.check.inputs.n: inputSchema of template review takes integer" in message
        assert children(world) == []


@virtual
async def test_s346_a_call_of_a_template_that_a_run_runs() -> None:
    async with World() as world:
        world.start()
        await create_template(world, DOUBLE)
        await create_template(world, WRONG, "outer")
        await world.submit({"templateRef": {"name": "outer"}})
        message = await judged(world)
        assert world.status()["phase"] == "Rejected"
        assert "template outer: nodes.check.inputs.n: inputSchema of template review" in message


@virtual
async def test_s349_a_rejected_run_stays_rejected_until_its_spec_changes() -> None:
    async with World(script={"twice": [gives(8)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(WRONG)
        await judged(world)
        await world.patch(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW, {"inputSchema": None})
        await world.quiet(600)
        assert world.status()["phase"] == "Rejected"
        await world.patch_run({"nodes": [calls("check", inputs={"n": 4})]})
        await world.until(lambda: world.status()["phase"] == "Succeeded", "it runs")


@virtual
async def test_s349_a_template_that_changes_later_stops_no_accepted_run() -> None:
    script = {"first": [gives(1, seconds=60)], "twice": [gives(8)]}
    async with World(script=script) as world:
        world.start()
        await create_template(world, DOUBLE)
        call = calls("check", inputs={"n": 4}, dependsOn=["first"])
        await world.submit(spec(python("first"), call))
        await world.until(lambda: ran(world) == ["first"], "it runs")
        schema = {"type": "object", "properties": {"n": {"type": "string"}}}
        await world.patch(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW, {"inputSchema": schema})
        status = await world.finished()
        assert (status["phase"], world.node("check")["reason"]) == ("Failed", "ChildFailed")


@virtual
async def test_s349_a_template_that_comes_later_is_not_missed() -> None:
    async with World(script={"twice": [gives(8)]}) as world:
        world.start()
        await world.submit(spec(calls("check", inputs={"n": 4})))
        await world.quiet(30)
        await create_template(world, DOUBLE)
        assert (await world.finished())["phase"] == "Succeeded"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Unavailable("no answer"), id="no-answer"),
        pytest.param(Rejected("forbidden"), id="refused"),
    ],
)
@virtual
async def test_s349_a_template_that_cannot_be_read_holds_no_run(error: ClusterError) -> None:
    async with World(script={"twice": [gives(8)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        world.cluster.fail_next("get", Kind.AGENT_WORKFLOW_TEMPLATE, error)
        await world.submit(spec(calls("check", inputs={"n": 4})))
        assert (await world.finished())["phase"] == "Succeeded"


@virtual
async def test_s348_templates_that_call_each_other_in_a_circle_start_nothing() -> None:
    async with World() as world:
        world.start()
        await create_template(world, spec(python("a"), calls("deeper", "other")))
        await create_template(world, spec(calls("deeper", REVIEW)), "other")
        await world.submit(RUN_OF)
        message = await judged(world)
        assert "template review calls itself: review -> other -> review" in message
        assert world.status(RUN)["phase"] == "Rejected"
        assert ran(world) == []


@virtual
async def test_s349_a_round_that_was_refused_for_a_template_begins_when_it_fits() -> None:
    async with World(script={"twice": [gives(8)]}) as world:
        world.start()
        await create_template(world, DOUBLE)
        await world.submit(spec(python("first")))
        await world.finished()
        await world.patch_run({"nodes": WRONG["nodes"], "rerun": {"round": 2}})
        await world.until(lambda: "takes integer" in str(world.condition("Accepted")), "refused")
        assert world.status()["phase"] == "Succeeded", "the round before stays as it ended"
        schema = {"type": "object", "properties": {"n": {"type": "string"}}}
        await world.patch(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW, {"inputSchema": schema})
        await world.until(lambda: world.status().get("round") == 2, "the round begins")
        assert (await world.finished())["phase"] == "Succeeded"
