"""More than one operator, or one that was frozen: no program starts twice (A3)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.ports.cluster import Kind, Unavailable

from tests.fakes.api.watch import DELAYED, IMMEDIATE, ROUGH, Delivery
from tests.support import reference
from tests.support.builders import gate, python, spec
from tests.support.harness import Call, Operator, World, gives
from tests.support.virtual import virtual


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "delivery", [IMMEDIATE, DELAYED, ROUGH], ids=["immediate", "delayed", "rough"]
)
@virtual
async def test_two_at_once_for_a_whole_run(delivery: Delivery, seed: int) -> None:
    async with World(script=reference.SCRIPT, seed=seed) as world:
        world.start(delivery=delivery, seed=seed)
        world.start(delivery=delivery, seed=seed + 100)
        reference.check(world, await reference.play(world))
        await world.quiet(30)
        assert [w for w in await world.quiet(600) if w.request.user != "ann"] == []
        refused = [w for w in world.cluster.log if w.result == "Conflict"]
        assert len(refused) < 60, "who has lost looks before it tries again"


@virtual
async def test_they_take_turns_in_dying() -> None:
    async with World(script=reference.SCRIPT) as world:
        operators = [world.start(), world.start()]

        async def chaos() -> None:
            while True:
                await asyncio.sleep(1.7)
                operators.pop(0).die()
                operators.append(world.start(delivery=DELAYED, seed=len(world.operators)))

        world.helper(chaos())
        reference.check(world, await reference.play(world))
        assert len(world.operators) > 10


def freeze_after_fence(operator: Operator) -> None:
    """Freeze it when its next status write is committed, before it receives the reply."""

    async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
        answer = await send()
        if call.verb == "patch_status" and call.kind is Kind.AGENT_WORKFLOW:
            operator.line.intercept = None
            operator.freeze()
            await asyncio.sleep(0)  # from here on it notices nothing
        return answer

    operator.line.intercept = intercept


def creates(operator: Operator, since: float) -> list[Call]:
    """What an operator asked to create since then."""
    return [
        c
        for c in operator.line.calls
        if c.verb == "create" and c.kind is not Kind.EVENT and c.at >= since
    ]


@virtual
async def test_a_frozen_operator_finds_its_fence_expired() -> None:
    async with World(script={"a": [gives("once", seconds=5)]}) as world:
        frozen = world.start()
        freeze_after_fence(frozen)
        await world.submit(spec(python("a")))
        await world.quiet(20)
        assert world.all(Kind.JOB) == [], "it was frozen before it could create"
        world.start()
        await world.finished(within=120)
        for job in world.all(Kind.JOB):  # A3: the name is free again
            await world.delete(Kind.JOB, job["metadata"]["name"])
        await world.quiet(60)
        assert world.all(Kind.POD) == []
        thawed = world.clock.monotonic()
        frozen.thaw()
        await world.quiet(600)
        assert creates(frozen, thawed) == [], "a fence expires"
        assert len(world.ledger.executions) == 1


@virtual
async def test_a_frozen_operator_finds_the_run_deleted() -> None:
    async with World() as world:
        frozen = world.start()
        freeze_after_fence(frozen)
        await world.submit(spec(python("a")))
        await world.quiet(5)
        await world.delete(Kind.AGENT_WORKFLOW, "brief")
        await world.quiet(30)
        thawed = world.clock.monotonic()
        frozen.thaw()
        await world.quiet(600)
        assert creates(frozen, thawed) == []
        assert world.ledger.executions == []
        assert world.all(Kind.JOB) == []


@virtual
async def test_an_operator_whose_cache_is_old_looks_at_the_run_before_it_launches() -> None:
    """It has recorded the attempt, could not launch it, and never heard that another one did."""
    async with World() as world:
        blind = world.start(resync_seconds=7200.0)
        reachable = True

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            nonlocal reachable
            if call.verb == "create" and call.kind is Kind.JOB and not world.ledger.executions:
                blind.watch.pause()
                reachable = False
            if reachable:
                return await send()
            raise Unavailable("bad gateway")

        await world.quiet(1)
        blind.line.intercept = intercept
        await world.submit(spec(python("a")))
        await world.quiet(2)
        world.start()
        await world.finished(within=120)
        for job in world.all(Kind.JOB):
            await world.delete(Kind.JOB, job["metadata"]["name"])
        await world.quiet(30)
        assert world.all(Kind.POD) == []
        reachable = True
        await world.quiet(300)
        assert len(world.ledger.executions) == 1
        assert creates(blind, 10) == []


@virtual
async def test_a_short_freeze_costs_nothing() -> None:
    async with World() as world:
        frozen = world.start()
        freeze_after_fence(frozen)
        await world.submit(spec(python("a")))
        await world.quiet(5)
        frozen.thaw()
        await world.finished(within=30)
        assert len(world.ledger.executions) == 1


@pytest.mark.parametrize(("seconds", "leaves"), [(0.0, True), (9.0, True), (11.0, False)])
@virtual
async def test_a_create_never_leaves_after_its_fence(seconds: float, leaves: bool) -> None:
    """A permit of the write limit, or a connection, may take its time."""
    async with World() as world:
        operator = world.start()
        sent: list[float] = []

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "create" and call.kind is Kind.JOB:
                await asyncio.sleep(seconds)
                sent.append(world.clock.monotonic())
            return await send()

        operator.line.intercept = intercept
        await world.submit(spec(python("a")))
        await world.quiet(300)
        assert bool(sent) is leaves
        assert world.is_finished() is leaves


@virtual
async def test_frozen_while_the_other_opens_the_gate() -> None:
    async with World() as world:
        frozen = world.start()
        freeze_after_fence(frozen)
        await world.submit(spec(gate("ok", timeout="1h"), python("a", dependsOn=["ok"])))
        await world.quiet(20)
        world.start()
        await world.answer(decision="Denied")
        await world.finished(within=60)
        thawed = world.clock.monotonic()
        frozen.thaw()
        await world.quiet(600)
        assert creates(frozen, thawed) == []
        assert world.ledger.executions == []
        assert world.status()["phase"] == "Failed"


@pytest.mark.parametrize("seed", range(6))
@virtual
async def test_freezes_at_any_time_change_nothing(seed: int) -> None:
    async with World(script=reference.SCRIPT, seed=seed) as world:
        frozen = world.start(seed=seed)
        world.start(seed=seed + 50, delivery=DELAYED)

        async def stutter() -> None:
            while True:
                await asyncio.sleep(0.3 + seed * 0.13)
                frozen.freeze()
                await asyncio.sleep(0.5 + seed * 3)
                frozen.thaw()

        world.helper(stutter())
        reference.check(world, await reference.play(world))


@virtual
async def test_a_look_for_what_is_absent_reads_jobs_then_pods_then_the_run() -> None:
    """In any other order another operator can make, lose and close an attempt between the reads,
    and its Job would be made again."""
    async with World() as world:
        operator = world.start()
        world.cluster.fail_next("create", Kind.JOB, Unavailable("gone", code=503))
        await world.submit(spec(python("a")))
        await world.finished()
        reads = [(c.verb, c.kind) for c in operator.line.calls if c.verb in ("get", "list")]
        look = reads[reads.index(("list", Kind.JOB)) :]
        wanted = [("list", Kind.JOB), ("list", Kind.POD), ("get", Kind.AGENT_WORKFLOW)]
        assert sorted(wanted, key=look.index) == wanted
