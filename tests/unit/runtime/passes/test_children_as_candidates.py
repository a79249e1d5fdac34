"""Child runs as candidates of first nodes (S483 to S485)."""

from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Obj

from tests.support.builders import gate, python, spec
from tests.support.children import calls, children, ran
from tests.support.harness import World, gives, hangs
from tests.support.templates import create_template
from tests.support.virtual import virtual

NUMBER: Obj = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
SLOW: Obj = spec(
    python("work", outputSchema={"type": "integer"}), outputs={"n": "${nodes.work.output}"}
)


def race(*more: Obj, others: str = "Cancel", **fields: Obj) -> Obj:
    """A program and a child run, of which the first that succeeds is chosen."""
    return spec(
        python("quick", outputSchema=NUMBER),
        {**calls("slow"), **fields},
        {"name": "best", "first": {"of": ["quick", "slow"], "others": others}},
        *more,
        outputs={"got": "${nodes.best.output}"},
    )


async def begin(world: World, body: Obj, template: Obj = SLOW) -> None:
    world.start()
    await create_template(world, template)
    await world.submit(body)


@virtual
async def test_s483_a_child_run_that_loses_is_stopped_and_the_run_succeeds() -> None:
    async with World(script={"quick": [gives({"n": 1}, seconds=9)], "work": [hangs()]}) as world:
        await begin(world, race())
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": {"n": 1}})
        slow = world.node("slow")
        assert (slow["phase"], slow["reason"]) == ("Cancelled", "NotChosen"), world.tell()
        assert section(children(world)[0], "status")["phase"] == "Cancelled"


@virtual
async def test_s483_a_child_run_can_be_chosen() -> None:
    async with World(script={"quick": [hangs()], "work": [gives(7)]}) as world:
        await begin(world, race())
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"got": {"n": 7}})
        assert world.node("quick")["reason"] == "NotChosen"


@virtual
async def test_s483_others_finish_lets_the_child_run_continue() -> None:
    async with World(script={"quick": [gives({"n": 1})], "work": [gives(7, seconds=20)]}) as world:
        await begin(world, race(others="Finish"))
        status = await world.finished()
        assert status["outputs"] == {"got": {"n": 1}}
        assert world.node("slow")["phase"] == "Succeeded"


@virtual
async def test_s483_a_question_in_a_child_run_that_loses_is_withdrawn() -> None:
    asking = spec(gate("ok"), outputs={"n": "${1}"})
    async with World(script={"quick": [gives({"n": 1}, seconds=9)]}) as world:
        await begin(world, race(), asking)
        await world.finished()
        assert [a["status"]["state"] for a in world.all(Kind.APPROVAL)] == ["Withdrawn"]


@virtual
async def test_s483_child_runs_of_items_are_stopped_too() -> None:
    for_each = {"items": "${[1, 2, 3]}", "maxParallel": 2}
    async with World(script={"quick": [gives({"n": 1}, seconds=9)], "work": [hangs()]}) as world:
        await begin(world, race(forEach=for_each))
        status = await world.finished()
        assert status["phase"] == "Succeeded"
        assert world.node("slow")["reason"] == "NotChosen", world.tell()
        assert {section(run, "status")["phase"] for run in children(world)} == {"Cancelled"}


@virtual
async def test_s484_a_failed_child_run_falls_out() -> None:
    async with World(script={"quick": [gives({"n": 1}, seconds=9)]}) as world:
        world.script["work"] = [lambda pod: pod.fails("no")] * 5
        await begin(world, race())
        status = await world.finished()
        assert (status["phase"], world.node("slow")["reason"]) == ("Succeeded", "ChildFailed")


@virtual
async def test_s485_a_round_keeps_the_loser_and_names_begin_the_race_again() -> None:
    quick = [gives({"n": 1}, seconds=9), gives({"n": 2}, seconds=30)]
    async with World(script={"quick": quick, "work": [hangs()]}) as world:
        await begin(world, race())
        await world.finished()
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2 and world.is_finished(), "kept")
        assert len(children(world)) == 1, "the loser stays as it is"
        world.script["work"] = [gives(7)]
        await world.patch_run({"rerun": {"round": 3, "from": ["quick"]}})
        await world.until(lambda: world.status().get("round") == 3 and world.is_finished(), "again")
        assert world.status()["outputs"] == {"got": {"n": 7}}, "another child run raced"
        assert len(children(world)) == 2
        assert ran(world).count("work") == 2
