"""S640: at most so many runs of a namespace run at a time."""

import asyncio
import random
from typing import Any

import pytest
from waypost.api.isolation.policy import NamespacePolicy
from waypost.ports.cluster import Kind

from tests.fakes.api.watch import DELAYED, IMMEDIATE, ROUGH, STALE
from tests.support.builders import python, spec
from tests.support.children import calls_local
from tests.support.harness import World, gives
from tests.support.templates import REVIEW, RUN_OF, create_template
from tests.support.virtual import virtual

DELIVERIES = (IMMEDIATE, DELAYED, ROUGH, STALE)
SLOW = {"a": [gives(1, seconds=60.0)]}


def limit(most: int | None) -> dict[str, Any]:
    return {"policies": (NamespacePolicy.model_validate({"maxRuns": most}),)}


def running(world: World) -> list[str]:
    """The runs that were accepted and have not ended, without child runs."""
    return [
        run["metadata"]["name"]
        for run in world.all(Kind.AGENT_WORKFLOW)
        if run.get("status", {}).get("nodes")
        and not run["status"].get("finishedAt")
        and "parent" not in run["spec"]
    ]


def accepted(world: World, name: str) -> tuple[str, str]:
    found = world.condition("Accepted", name)
    return found["status"], found["reason"]


@virtual
async def test_s640_later_runs_wait_in_the_order_of_their_creation() -> None:
    async with World(script=SLOW) as world:
        world.start(**limit(2))
        for name in ("c", "b", "a"):
            await world.submit(spec(python("a")), name=name)
            await world.quiet(2)
        await world.submit(spec(python("a")), name="z")
        await world.quiet(10)
        assert running(world) == ["b", "c"]
        for name in ("a", "z"):
            assert accepted(world, name) == ("Unknown", "RunLimit")
            assert world.status(name)["phase"] == "Pending"
            assert world.condition("Stalled", name)["status"] == "False"
            assert "allows 2 runs at a time" in world.condition("Accepted", name)["message"]
        await world.until(lambda: world.is_finished("c"), "the first has ended")
        await world.until(lambda: running(world) == ["a", "b"], "the next has begun", within=5)
        for name in "abcz":
            assert (await world.finished(name))["phase"] == "Succeeded"


@virtual
async def test_s640_a_run_that_waits_can_be_cancelled_and_deleted() -> None:
    async with World(script=SLOW) as world:
        world.start(**limit(1))
        for name in ("first", "second", "third", "last"):
            await world.submit(spec(python("a")), name=name)
            await world.quiet(2)
        await world.patch_run({"cancel": True}, name="second")
        assert (await world.finished("second", within=5))["phase"] == "Cancelled"
        await world.delete(Kind.AGENT_WORKFLOW, "third")
        await world.delete(Kind.AGENT_WORKFLOW, "first")
        await world.until(lambda: running(world) == ["last"], "the place is free", within=5)


@virtual
async def test_s640_a_round_waits_too() -> None:
    async with World(script=SLOW) as world:
        world.start(**limit(1))
        await world.submit(spec(python("a")), name="again")
        await world.finished("again")
        await world.submit(spec(python("a")), name="other")
        await world.until(lambda: running(world) == ["other"], "the other runs")
        await world.patch_run({"rerun": {"round": 2, "from": ["a"]}}, name="again")
        await world.quiet(10)
        assert running(world) == ["other"]
        assert accepted(world, "again") == ("False", "RunLimit")
        await world.finished("other")
        await world.until(lambda: running(world) == ["again"], "the round has begun", within=5)
        await world.finished("again")
        assert len(world.ledger.of("a")) == 3


@virtual
async def test_s640_child_runs_need_no_place() -> None:
    async with World(script=SLOW) as world:
        world.start(**limit(1))
        made = {**spec(calls_local("call", "t")), "templates": [{"name": "t", **spec(python("a"))}]}
        await world.submit(made, name="parent")
        assert (await world.finished("parent", within=300))["phase"] == "Succeeded"


@virtual
async def test_s640_a_run_that_waits_for_something_else_is_not_before_others() -> None:
    async with World(script=SLOW) as world:
        world.start(**limit(1))
        await world.submit({"templateRef": {"name": "absent"}}, name="early")
        await world.submit({"nodes": [{"name": "broken"}]}, name="refused")
        await world.quiet(5)
        await world.submit(spec(python("a")), name="late")
        assert (await world.finished("late", within=120))["phase"] == "Succeeded"


@virtual
async def test_s640_runs_that_all_become_free_at_once() -> None:
    """None of them is in line while it waits for its template."""
    async with World(script=SLOW) as world:
        world.start(**limit(1), workers=8)
        await create_template(world, spec(python("a")))
        await world.patch(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW, {"suspend": True})
        for at in range(6):
            await world.submit(RUN_OF, name=f"run-{at}")
        await world.quiet(10)
        assert accepted(world, "run-0") == ("Unknown", "TemplateSuspended")
        seen: list[int] = []

        async def watch() -> None:
            while True:
                seen.append(len(running(world)))
                await asyncio.sleep(0.1)

        world.helper(watch())
        await world.patch(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW, {"suspend": False})
        for at in range(6):
            await world.finished(f"run-{at}", within=900)
        assert max(seen) == 1


@pytest.mark.parametrize("seed", range(12))
@virtual
async def test_s640_there_are_never_more_and_all_end(seed: int) -> None:
    """Runs come in bursts, with operators that are killed and watches that are late."""
    rng = random.Random(seed)
    most = rng.choice([1, 2, 3])
    script = {"a": [gives(1, seconds=float(rng.choice([1, 5, 20])))]}
    async with World(script=script, seed=seed) as world:
        seen: list[int] = []

        async def watch() -> None:
            while True:
                seen.append(len(running(world)))
                await asyncio.sleep(0.5)

        world.helper(watch())
        operator = world.start(seed=seed, delivery=rng.choice(DELIVERIES), **limit(most))
        names = [f"run-{rng.randrange(100):02d}-{at}" for at in range(12)]
        for name in names:
            await world.submit(spec(python("a"), suspend=rng.random() < 0.1), name=name)
            if rng.random() < 0.4:
                await world.quiet(rng.choice([0.1, 3.0, 15.0]))
            if rng.random() < 0.15:
                operator.die()
                operator = world.start(seed=seed, delivery=rng.choice(DELIVERIES), **limit(most))
        for _ in range(40):
            await world.quiet(11)
            for name in names:
                if world.run(name)["spec"].get("suspend"):
                    await world.patch_run({"suspend": False}, name=name)
        assert max(seen) <= most
        assert [world.status(name)["phase"] for name in names] == ["Succeeded"] * 12
