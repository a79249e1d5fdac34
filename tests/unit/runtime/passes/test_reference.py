"""A whole run on a cluster in order: how it ends, what it costs, and that it then is quiet."""

import json

from waypost.api import meta
from waypost.ports.cluster import Kind

from tests.support import reference
from tests.support.harness import World
from tests.support.virtual import virtual


@virtual
async def test_the_reference_run_ends_as_the_table_says() -> None:
    async with World(script=reference.SCRIPT) as world:
        world.start()
        reference.check(world, await reference.play(world))


@virtual
async def test_it_costs_three_writes_a_pod_and_a_few() -> None:
    async with World(script=reference.SCRIPT) as world:
        operator = world.start()
        await reference.play(world)
        await world.quiet(60)
        writes = [c for c in operator.line.writes() if c.kind is not Kind.EVENT]
        assert len([c for c in writes if c.kind is Kind.JOB]) == reference.PODS
        assert len([c for c in writes if c.kind is Kind.POD]) == reference.PODS, "one release each"
        status_writes = [c for c in writes if c.kind is Kind.AGENT_WORKFLOW]
        assert len(status_writes) <= reference.PODS + 6
        assert len(writes) <= 3 * reference.PODS + 9, [f"{c.verb} {c.name}" for c in writes]


@virtual
async def test_a_finished_run_costs_nothing_any_more() -> None:
    async with World(script=reference.SCRIPT) as world:
        world.start()
        await reference.play(world)
        await world.quiet(10)
        assert [w for w in await world.quiet(3 * 3600) if w.request.user != "ann"] == [], (
            "I11: no write after the end, resyncs and sweeps included"
        )


@virtual
async def test_the_users_object_is_the_users() -> None:
    async with World(script=reference.SCRIPT) as world:
        world.start()
        await world.submit(
            reference.SPEC, annotations={"note": "mine"}, finalizers=["example.com/mine"]
        )
        world.helper(world.answer(decision="Approved"))
        await world.finished()
        run = world.run()
        assert run["metadata"]["annotations"] == {"note": "mine"}
        assert run["metadata"]["finalizers"] == ["example.com/mine"]
        assert run["metadata"]["generation"] == 1
        assert (
            run["spec"]
            == (await world.user.get(Kind.AGENT_WORKFLOW, namespace="default", name="brief"))[
                "spec"
            ]
        )
        patched = [w.request.verb for w in world.cluster.writes("write", Kind.AGENT_WORKFLOW)]
        assert set(patched) == {"patch_status"}, "nothing of it but its status is ever written"


@virtual
async def test_nothing_is_held_after_the_end() -> None:
    async with World(script=reference.SCRIPT) as world:
        world.start()
        await reference.play(world)
        await world.quiet(10)
        held = [
            pod["metadata"]["name"]
            for pod in world.all(Kind.POD)
            if meta.FINALIZER_RESULT in pod["metadata"].get("finalizers", [])
        ]
        assert held == []
        await world.delete(Kind.AGENT_WORKFLOW, "brief", propagation="Foreground")
        await world.quiet(120)
        left = {kind.kind: len(world.all(kind)) for kind in Kind if kind is not Kind.NODE}
        assert {k: n for k, n in left.items() if n} == {
            "Event": left["Event"],
            "Namespace": 1,
        }, "I12: deleting the run leaves nothing"


@virtual
async def test_two_seeds_give_the_same_end() -> None:
    ends = []
    for seed in (1, 2):
        async with World(script=reference.SCRIPT, seed=seed) as world:
            world.start(seed=seed)
            status = reference.masked(await reference.play(world))
            uid = world.run()["metadata"]["uid"]
            names = {a["job"] for n in status["nodes"] for a in n.get("attempts", [])} | {
                n["approval"] for n in status["nodes"] if n.get("approval")
            }
            text = json.dumps(status)
            assert uid not in text
            for name in names | {n["outputRecord"] for n in status["nodes"] if "outputRecord" in n}:
                text = text.replace(name, "NAME")
            ends.append(text)
    assert ends[0] == ends[1]
