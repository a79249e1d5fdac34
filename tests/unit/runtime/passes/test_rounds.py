"""Rounds on a simulated cluster: begun by a patch, whatever becomes of the operator meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.ports.cluster import Kind, Obj, Unavailable

from tests.support.builders import gate, python, spec
from tests.support.harness import Call, Operator, World, fails, gives, hangs
from tests.support.reference import masked
from tests.support.virtual import virtual

SPEC = spec(
    python("a"),
    python("b", inputs={"v": "${nodes.a.output}"}),
    gate("ok", message="Go on with ${nodes.b.output}?"),
    python("c", inputs={"v": "${nodes.b.output}"}, dependsOn=["ok"]),
    python("large", inputs={"v": "${nodes.a.output}"}),
)
SCRIPT = {
    "a": [gives(1)],
    "b": [gives(2)],
    "c": [fails(), gives(3)],
    "large": [gives("x" * 3000), gives("y" * 3000)],
}
CHANGED = [
    {**node, "python": {"source": "def run(v):\n    return v\n"}}
    if node["name"] == "large"
    else node
    for node in SPEC["nodes"]
]


async def failed(world: World) -> None:
    await world.submit(SPEC)
    world.helper(world.answer(decision="Approved", decidedBy="ann"))
    assert (await world.finished())["phase"] == "Failed"


async def begin(world: World, round_: int = 2, **fields: Any) -> None:
    await world.patch_run({"rerun": {"round": round_}, **fields})
    await world.until(lambda: world.status().get("round") == round_, "the round has begun")


def check(world: World) -> None:
    """Executions of both rounds, by node."""
    runs = {path: len(world.ledger.of(path)) for path in ("a", "b", "c", "large")}
    assert runs == {"a": 1, "b": 1, "c": 2, "large": 2}
    assert world.ledger.doubled() == []
    assert world.ledger.overlaps() == []
    assert world.status()["phase"] == "Succeeded"
    assert len(world.all(Kind.APPROVAL)) == 1, "what was approved is unchanged"
    assert not any(pod["metadata"].get("finalizers") for pod in world.all(Kind.POD))


@virtual
async def test_a_failed_run_goes_on_from_the_failed_node() -> None:
    async with World(script=SCRIPT) as world:
        world.start()
        await failed(world)
        before = {n["path"]: n for n in world.status()["nodes"]}
        await begin(world, nodes=CHANGED)
        await world.finished()
        await world.quiet(30)
        check(world)
        for path in ("a", "b"):
            now = world.node(path)
            assert now["disposition"] == "Reused"
            assert now["attempts"] == before[path]["attempts"]
            assert now["outputDigest"] == before[path]["outputDigest"]
        assert [r["round"] for r in world.status()["rounds"]] == [1]


async def play(world: World, operator: Operator, intercept: Any) -> Obj:
    await failed(world)
    operator.line.intercept = intercept
    await world.patch_run({"rerun": {"round": 2}, "nodes": CHANGED})
    await world.until(lambda: world.status().get("round") == 2, "the round has begun")
    status = await world.finished()
    await world.quiet(30)
    return status


def writes_of_the_round() -> tuple[Obj, int]:
    found: list[tuple[Obj, int]] = []

    @virtual
    async def clean() -> None:
        async with World(script=SCRIPT) as world:
            operator = world.start()
            await failed(world)
            first = len(operator.line.writes())
            await begin(world, nodes=CHANGED)
            status = await world.finished()
            await world.quiet(10)
            found.append((masked(status), len(operator.line.writes()) - first))

    clean()
    return found[0]


@pytest.mark.parametrize("mode", ["before", "after", "twice"])
def test_every_crash_point_of_a_round_ends_alike(mode: str) -> None:
    expected, count = writes_of_the_round()
    assert count > 8
    for number in range(1, count + 1):
        crash(number, mode, expected)


@virtual
async def crash(number: int, mode: str, expected: Obj) -> None:
    async with World(script=SCRIPT) as world:
        operator = world.start()
        left = number

        async def restart() -> None:
            await asyncio.sleep(2)
            world.start()

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            nonlocal left
            if not call.writes:
                return await send()
            left -= 1
            if left:
                return await send()
            if mode == "twice":
                await send()
                try:
                    await send()
                finally:
                    raise Unavailable("the connection was reset")
            if mode == "after":
                await send()
            operator.die()
            world.helper(restart())
            raise asyncio.CancelledError

        status = await play(world, operator, intercept)
        assert left <= 0, f"write {number} was reached"
        assert masked(status) == expected, f"write {number}, {mode}"
        check(world)


@virtual
async def test_a_paused_run_goes_on_hours_later() -> None:
    """An expired key: the node fails, the run waits for a person, and continues with that node."""
    raw = spec(
        python("a"),
        python("b", inputs={"v": "${nodes.a.output}"}, onFailure="Pause"),
        python("c", inputs={"v": "${nodes.b.output}"}),
    )
    async with World(script={"b": [fails("ProviderError"), gives(2)]}) as world:
        operator = world.start()
        await world.submit(raw)
        await world.until(lambda: world.status().get("phase") == "Paused", "it waits")
        operator.die()
        await world.quiet(7 * 3600)
        world.start()
        await begin(world)
        assert (await world.finished())["phase"] == "Succeeded"
        assert {p: len(world.ledger.of(p)) for p in "abc"} == {"a": 1, "b": 2, "c": 1}


@virtual
async def test_a_superseded_pod_that_dies_hard_is_waited_for() -> None:
    script = {"a": [hangs(), gives(2)]}
    async with World(script=script) as world:
        world.start()
        await world.submit(spec(python("a"), python("b", inputs={"v": "${nodes.a.output}"})))
        await world.until(lambda: len(world.ledger.executions) == 1, "it runs")
        nodes = spec(python("a", inputs={"x": 1}), python("b", inputs={"v": "${nodes.a.output}"}))
        await begin(world, nodes=nodes["nodes"])
        status = await world.finished()
        assert status["phase"] == "Succeeded"
        assert world.ledger.overlaps() == []
        ends = [a["reason"] for a in world.node("a")["attempts"]]
        assert ends == ["Superseded", "Succeeded"]


@virtual
async def test_nodes_that_a_round_takes_out_leave_nothing_behind() -> None:
    script = {"b": [hangs()]}
    async with World(script=script) as world:
        world.start()
        await world.submit(spec(python("a"), python("b")))
        await world.until(lambda: len(world.ledger.executions) == 2, "both run")
        await begin(world, nodes=[python("a")])
        assert (await world.finished())["phase"] == "Succeeded"
        await world.until(
            lambda: not any(p["metadata"].get("finalizers") for p in world.all(Kind.POD)),
            "its pod is let go",
            within=300,
        )
        assert world.ledger.of("b")[0].ended_at is not None, "and stopped"
