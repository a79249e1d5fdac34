"""A machine that dies (A4): its attempts are given up after five minutes, and replaced
where that is allowed; what they did meanwhile is not taken."""

from typing import Any

import pytest
from waypost.ports.cluster import Kind, Rejected

from tests.support.builders import container, python, spec, wait
from tests.support.harness import World, gives, hangs
from tests.support.virtual import virtual

LONG = {"timeout": "9h"}


async def running_on(world: World, path: str = "a") -> str:
    """The machine of the node's one pod, once its program runs."""
    await world.until(
        lambda: any(e.path == path for e in world.ledger.executions), f"{path} runs", step=0.05
    )
    machine: str = world.work.pods(path)[-1].body["spec"]["nodeName"]
    return machine


@pytest.mark.parametrize("restart", [False, True], ids=["same-operator", "after-a-restart"])
@virtual
async def test_a_dead_machine_does_not_stop_the_run_for_ever(restart: bool) -> None:
    async with World(script={"a": [hangs(), gives(2)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a", **LONG)))
        world.work.lose_machine(await running_on(world))
        lost_at = world.clock.monotonic()
        await world.until(
            lambda: world.node("a").get("reason") == "NodeLost", "it is reported", within=180
        )
        assert world.node("a")["phase"] == "Running", "reported, and waited for"
        if restart:
            operator.die()
            world.start()
        status = await world.finished(within=900)
        node = status["nodes"][0]
        assert (node["phase"], node["output"], node["disruptions"]) == ("Succeeded", 2, 1)
        assert "retries" not in node
        assert node["attempts"][0]["reason"] == "NodeLost"
        took = world.clock.monotonic() - lost_at
        assert 350 <= took <= 400, "50 s until it is not ready, then five minutes"


@virtual
async def test_what_a_zombie_did_is_not_taken() -> None:
    async with World(script={"a": [gives("late", seconds=420.0), gives("new")]}) as world:
        world.start()
        await world.submit(spec(python("a", **LONG)))
        machine = await running_on(world)
        world.work.lose_machine(machine)
        status = await world.finished(within=900)
        assert status["nodes"][0]["output"] == "new"
        await world.quiet(120.0)  # its program ends with a record that names attempt 1
        world.work.regain_machine(machine)
        await world.until(lambda: not world.work.pods("a") or all_over(world), "it has reported")
        await world.quiet(300.0)
        assert world.status()["nodes"][0]["output"] == "new", "I14"
        assert not [p for p in world.work.pods("a") if finalizers(p)], "and nothing holds it"


def all_over(world: World) -> bool:
    phases = {pod.body["status"].get("phase") for pod in world.work.pods("a")}
    return phases <= {"Succeeded", "Failed"}


def finalizers(pod: Any) -> list[str]:
    found: list[str] = pod.body["metadata"].get("finalizers", [])
    return [name for name in found if name.startswith("waypost")]


@virtual
async def test_a_zombie_is_stopped_when_its_machine_is_back() -> None:
    async with World(script={"a": [hangs(), hangs()]}) as world:
        world.start()
        await world.submit(spec(python("a", **LONG)))
        machine = await running_on(world)
        world.work.lose_machine(machine)
        await world.until(lambda: world.node("a").get("attempt") == 2, "replaced", within=900)
        first = next(e for e in world.ledger.executions if e.attempt == 1)
        assert first.ended_at is None, "it runs on, and nobody can tell"
        world.work.regain_machine(machine)
        await world.until(lambda: first.ended_at is not None, "it is stopped", within=60)
        assert world.node("a")["phase"] == "Running"


@virtual
async def test_a_machine_that_comes_back_in_time_costs_nothing() -> None:
    async with World(script={"a": [gives(1, seconds=200.0)]}) as world:
        world.start()
        await world.submit(spec(python("a", **LONG)))
        machine = await running_on(world)
        world.work.lose_machine(machine)
        await world.quiet(55.0)
        world.work.regain_machine(machine)
        status = await world.finished(within=900)
        node = status["nodes"][0]
        assert (node["output"], node["attempt"], node.get("reason")) == (1, 1, None)


@virtual
async def test_once_waits_for_a_person() -> None:
    node = container("a", effect="once", onFailure="Pause", **LONG)
    async with World(script={"a": [hangs()]}) as world:
        world.start()
        await world.submit(spec(node))
        world.work.lose_machine(await running_on(world))
        await world.until(lambda: world.status().get("phase") == "Paused", "a person", within=900)
        assert world.node("a")["reason"] == "UnknownEffect"
        assert len(world.ledger.executions) == 1


@pytest.mark.parametrize("cancel", [True, False], ids=["cancel", "timeout"])
@virtual
async def test_a_stop_on_a_dead_machine_ends(cancel: bool) -> None:
    async with World(script={"a": [hangs(), gives(2)]}) as world:
        world.start()
        await world.submit(spec(python("a", timeout="2m")))
        world.work.lose_machine(await running_on(world))
        if cancel:
            await world.patch_run({"cancel": True})
        status = await world.finished(within=900)
        assert status["phase"] == ("Cancelled" if cancel else "Succeeded")


@virtual
async def test_machines_are_read_rarely() -> None:
    async with World(script={"a": [hangs(stop_seconds=None)]}) as world:
        operator = world.start()
        await world.submit(spec(python("a", **LONG)))
        machine = await running_on(world)
        await world.quiet(3600.0)
        assert reads(operator) == 0, "a pod that is well asks for no machine"
        world.work.lose_machine(machine)
        await world.until(lambda: world.node("a").get("attempt") == 2, "replaced", within=900)
        assert 2 <= reads(operator) <= 6, "when it looks left alone, and when it is given up"


def reads(operator: Any) -> int:
    return sum(1 for call in operator.line.calls if call.kind is Kind.NODE)


@virtual
async def test_without_the_right_to_read_machines_none_is_given_up() -> None:
    async with World(script={"a": [hangs()], "b": [gives(1)]}) as world:
        world.start()
        forbidden = Rejected('nodes "m0" is forbidden', code=403, reason="Forbidden")
        world.cluster.fail_next("get", Kind.NODE, forbidden, times=10**6)
        await world.submit(spec(python("a", **LONG), wait("w"), python("b", dependsOn=["w"])))
        world.work.lose_machine(await running_on(world))
        await world.quiet(3700.0)
        assert (world.node("a")["phase"], world.node("a")["attempt"]) == ("Running", 1)
        assert world.node("b")["phase"] == "Succeeded", "and the run continues"


@virtual
async def test_the_patience_is_a_setting() -> None:
    async with World(script={"a": [hangs(), gives(2)]}) as world:
        world.start(node_lost_seconds=30.0)
        await world.submit(spec(python("a", **LONG)))
        world.work.lose_machine(await running_on(world))
        await world.finished(within=150)
