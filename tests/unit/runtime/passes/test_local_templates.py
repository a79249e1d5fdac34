"""Child runs of local templates (S340 to S345)."""

from typing import Any

from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Obj

from tests.support.builders import python, spec
from tests.support.children import calls, calls_local, child, children, ran
from tests.support.harness import RUN, World, fails, gives
from tests.support.templates import REVIEW, RUN_OF, create_template
from tests.support.virtual import virtual


def doubling(**fields: Any) -> Obj:
    """A local template of two nodes."""
    return {
        "name": "double",
        "inputSchema": {"type": "object", "required": ["n"]},
        "nodes": [
            python("read", inputs={"n": "${inputs.n}"}),
            python("twice", inputs={"n": "${nodes.read.output}"}),
        ],
        "outputs": {"double": "${nodes.twice.output}"},
        **fields,
    }


def parent(**fields: Any) -> Obj:
    """A run whose node calls it."""
    node = calls_local("check", "double", inputs={"n": 4})
    given = {
        "outputs": {"got": "${nodes.check.output.double}"},
        "templates": [doubling()],
        **fields,
    }
    return spec(node, **given)


def record_of(world: World, run: Obj) -> Obj:
    """The record that holds the definition of a run."""
    name = run["status"]["template"]["record"]
    found = [r for r in world.all(Kind.NODE_RECORD) if r["metadata"]["name"] == name]
    return found[0] if found else {}


@virtual
async def test_s340_a_child_run_of_a_local_template() -> None:
    async with World(script={"read": [gives(4)], "twice": [gives(8)]}) as world:
        world.start()
        run = await world.submit(parent())
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 8})
        made = child(world)
        assert made["spec"]["templateRef"] == {"name": "double"}
        assert made["spec"]["parent"]["local"] is True
        assert "nodes" not in made["spec"], "the definition is in a record"
        pin = made["status"]["template"]
        assert (pin["name"], pin["uid"]) == ("double", run["metadata"]["uid"])
        owner = record_of(world, made)["metadata"]["ownerReferences"][0]
        assert owner["uid"] == made["metadata"]["uid"]


@virtual
async def test_s340_an_agentworkflowtemplate_of_the_same_name_is_another_one() -> None:
    async with World(script={"twice": [gives(8)]}) as world:
        world.start()
        await create_template(world, spec(python("other"), outputs={"double": 1}), "double")
        await world.submit(parent())
        await world.finished()
        assert ran(world) == ["read", "twice"]


@virtual
async def test_s341_a_local_template_of_a_template() -> None:
    """The parent is a run of a template: its own definition is in a record."""
    async with World(script={"twice": [gives(8)]}) as world:
        world.start()
        await create_template(world, parent())
        await world.submit(RUN_OF)
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 8})
        assert child(world)["spec"]["parent"]["templates"] == [REVIEW]


@virtual
async def test_s343_local_templates_call_each_other_and_templates() -> None:
    outer = {
        "name": "outer",
        "nodes": [calls_local("inner", "double", inputs={"n": 1}), calls("far", REVIEW)],
        "outputs": {"double": "${nodes.inner.output.double}"},
    }
    raw = parent(templates=[outer, doubling()])
    raw["nodes"] = [calls_local("check", "outer")]
    async with World(script={"twice": [gives(2)]}) as world:
        world.start()
        await create_template(world, spec(python("away")))
        await world.submit(raw)
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 2})
        middle = child(world)
        below = {r["spec"]["templateRef"]["name"]: r for r in children(world, _name(middle))}
        assert below["double"]["spec"]["parent"]["templates"] == ["", "outer (local)"]
        assert "local" not in below[REVIEW]["spec"]["parent"]


@virtual
async def test_s345_a_later_edit_does_not_reach_a_child_that_was_accepted() -> None:
    """The record decides: also for an operator that has just started."""
    script = {"read": [gives(4, seconds=30)], "twice": [gives(8)]}
    async with World(script=script) as world:
        world.start()
        await create_template(world, parent())
        await world.submit(RUN_OF)
        await world.until(lambda: ran(world) == ["read"], "the child runs")
        edited = {"templates": [doubling(nodes=[python("new")])]}
        await world.patch(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW, edited)
        world.operators[-1].die()
        world.start()
        status = await world.finished()
        assert (status["phase"], ran(world)) == ("Succeeded", ["read", "twice"])


@virtual
async def test_s345_a_lost_record_is_created_again_from_the_parent() -> None:
    script = {"read": [gives(4, seconds=30)], "twice": [gives(8)]}
    async with World(script=script) as world:
        world.start()
        await world.submit(parent())
        await world.until(lambda: ran(world) == ["read"], "the child runs")
        name = record_of(world, child(world))["metadata"]["name"]
        await world.delete(Kind.NODE_RECORD, name)
        world.operators[-1].die()
        world.start()
        status = await world.finished()
        assert (status["phase"], ran(world)) == ("Succeeded", ["read", "twice"])


@virtual
async def test_s344_a_round_repairs_a_local_template_and_keeps_checkpoints() -> None:
    script = {"read": [gives(4)], "twice": [fails()], "again": [gives(8)]}
    async with World(script=script) as world:
        world.start()
        await world.submit(parent())
        assert (await world.finished())["phase"] == "Failed"
        repaired = doubling(
            nodes=[
                python("read", inputs={"n": "${inputs.n}"}),
                python("again", inputs={"n": "${nodes.read.output}"}),
            ],
            outputs={"double": "${nodes.again.output}"},
        )
        await world.patch_run({"templates": [repaired], "rerun": {"round": 2}})
        status = await _second_round(world)
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 8})
        assert ran(world) == ["read", "twice", "again"], "the checkpoint of read is kept"
        assert len(children(world)) == 1


@virtual
async def test_s344_a_child_run_that_succeeded_continues_if_its_local_template_has_changed() -> (
    None
):
    script = {"read": [gives(4)], "twice": [gives(8)]}
    async with World(script=script) as world:
        world.start()
        await world.submit(parent())
        await world.finished()
        changed = doubling(outputs={"double": "${nodes.twice.output + 1}"})
        await world.patch_run({"templates": [changed], "rerun": {"round": 2}})
        status = await _second_round(world)
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": 9})
        assert ran(world) == ["read", "twice"], "the child run continues with its checkpoints"
        assert child(world)["status"]["round"] == 2


@virtual
async def test_s340_a_person_cannot_take_a_local_template_of_another_run() -> None:
    async with World() as world:
        world.start()
        run = await world.submit(parent(), name="other")
        block = {
            "run": "other",
            "uid": run["metadata"]["uid"],
            "root": run["metadata"]["uid"],
            "path": "check",
            "local": True,
            "templates": [""],
            "children": 9,
        }
        await world.submit({"templateRef": {"name": "double"}, "parent": block})
        await world.until(lambda: bool(section(world.run(RUN), "status")), "it is judged")
        await world.quiet(30)
        assert world.status(RUN)["phase"] == "Rejected"
        assert "only the operator writes this field" in str(world.status(RUN))


async def _second_round(world: World) -> Obj:
    await world.until(lambda: world.status().get("round") == 2, "the round begins")
    return await world.finished()


def _name(run: Obj) -> str:
    return str(run["metadata"]["name"])
