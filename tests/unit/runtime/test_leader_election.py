"""Several replicas, one of which works: hand-over when it dies, stops, freezes, or is cut off.

Safety is not at stake here (test_two_operators has that, without any Lease); it is whether runs go
on, how soon, and that no two replicas work at the same time while nobody is frozen.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from waypost.kube.objects import section
from waypost.ports.cluster import Busy, Conflict, Kind, PatchType, Rejected, Unavailable

from tests.fakes.api.watch import DELAYED, IMMEDIATE, ROUGH, Delivery
from tests.support import reference
from tests.support.builders import gate, python, spec, wait
from tests.support.harness import LEASE, NAMESPACE, Call, Operator, World, gives
from tests.support.virtual import virtual

BAR = 5.0  # seconds from the death of the leader to the next one's first pass
SECONDS = 3.0  # the Lease's


async def pair(world: World, **options: Any) -> tuple[Operator, Operator]:
    """A leader and a warm standby."""
    leader = world.start(replica=True, **options)
    await world.until(lambda: leader.leading, "the first one leads", within=5)
    standby = world.start(replica=True, **options)
    await world.until(lambda: standby.ready, "the second one is warm", within=5)
    return leader, standby


def lease(world: World) -> dict[str, Any]:
    """The spec of the Lease as stored."""
    body = world.cluster.server.storage.read(Kind.LEASE, NAMESPACE, LEASE)
    return section(body or {}, "spec")


def work(operator: Operator) -> list[Call]:
    """What an operator wrote, but for the Lease."""
    return [call for call in operator.line.writes() if call.kind is not Kind.LEASE]


async def takeover(world: World, heir: Operator) -> float:
    """How long from now until `heir` leads."""
    start = world.clock.monotonic()
    await world.until(lambda: heir.leading, "the standby takes over", within=60, step=0.01)
    return world.clock.monotonic() - start


def watch_for_two(world: World) -> list[str]:
    """Note whenever two that are not frozen lead at once; look at it in the end."""
    found: list[str] = []

    async def look() -> None:
        while True:
            leaders = [n for n, o in enumerate(world.operators) if o.leading and not o.line.dead]
            if len(leaders) > 1:
                found.append(f"{leaders} at {world.clock.monotonic():.2f}")
            await asyncio.sleep(0.01)

    world.helper(look())
    return found


@pytest.mark.parametrize(
    "delivery", [IMMEDIATE, DELAYED, ROUGH], ids=["prompt", "delayed", "rough"]
)
@virtual
async def test_one_works_and_the_other_writes_nothing(delivery: Delivery) -> None:
    async with World(script=reference.SCRIPT) as world:
        two = watch_for_two(world)
        leader, standby = await pair(world, delivery=delivery)
        reference.check(world, await reference.play(world))
        await world.quiet(1000)
        assert standby.line.writes() == [], "not even to the Lease"
        assert (leader.ready, standby.ready) == (True, True)
        assert standby.telemetry.passes == 0
        assert (standby.controller.health(), standby.controller.queue.depth) == (None, 0)
        assert two == []


@virtual
async def test_two_that_start_at_once_agree_on_one() -> None:
    async with World(script=reference.SCRIPT) as world:
        two = watch_for_two(world)
        replicas = [world.start(replica=True) for _ in range(3)]
        await world.until(lambda: any(r.leading for r in replicas), "one leads", within=5)
        reference.check(world, await reference.play(world))
        assert len([r for r in replicas if r.leading]) == 1
        assert len([r for r in replicas if work(r)]) == 1
        assert two == []


@pytest.mark.parametrize("after", [0.0, 0.3, 0.5, 0.77, 0.99])
@virtual
async def test_when_the_leader_dies_the_standby_goes_on_within_the_bar(after: float) -> None:
    async with World(script={"b": [gives(2)]}) as world:
        leader, standby = await pair(world)
        await world.submit(spec(python("a"), python("b", dependsOn=["a"])))
        await world.until(lambda: bool(world.ledger.executions), "a has started")
        await world.quiet(after)  # anywhere between two renewals
        leader.die()
        died = world.clock.monotonic()
        lists = len([c for c in standby.line.calls if c.verb == "list"])
        # The standby looks at the Lease four times in its duration.
        assert SECONDS * 0.5 < await takeover(world, standby) < SECONDS * 1.25
        await world.finished(within=30)
        first = work(standby)[0]
        assert first.at - died < BAR
        assert [c.verb for c in standby.line.calls[:lists]].count("list") == lists
        assert len(world.ledger.executions) == 2
        assert lease(world)["leaseTransitions"] == 1


@virtual
async def test_a_stop_hands_over_at_once() -> None:
    async with World() as world:
        leader, standby = await pair(world)
        await world.submit(spec(gate("ok", timeout="24h"), python("a", dependsOn=["ok"])))
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "the gate is open")
        await world.quiet(3.3)
        stopping = asyncio.create_task(leader.shut_down())
        assert await takeover(world, standby) < 0.75
        await stopping
        await world.answer(decision="Approved")
        await world.finished(within=30)
        assert len(world.ledger.executions) == 1


@virtual
async def test_a_stop_in_the_middle_of_a_renewal_hands_over_at_once_too() -> None:
    async with World() as world:
        leader, standby = await pair(world)
        renewed = asyncio.Event()

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            answer = await send()
            if call.kind is Kind.LEASE and not renewed.is_set():
                renewed.set()
                await asyncio.sleep(1)  # committed, and its answer is on the way
            return answer

        leader.line.intercept = intercept
        await renewed.wait()
        stopping = asyncio.create_task(leader.shut_down())
        assert await takeover(world, standby) < 0.75
        await stopping


@virtual
async def test_a_stop_finishes_what_is_under_way_before_another_one_leads() -> None:
    async with World() as world:
        two = watch_for_two(world)
        leader, standby = await pair(world)
        writing = asyncio.Event()

        async def slow(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "patch_status":
                writing.set()
                await asyncio.sleep(6)  # longer than the Lease lasts unrenewed
            return await send()

        leader.line.intercept = slow
        await world.submit(spec(python("a")))
        await writing.wait()
        await leader.shut_down()
        assert work(leader)[-1].at <= world.clock.monotonic()
        assert [c for c in work(leader) if c.kind is Kind.JOB], "the pass was finished"
        assert work(standby) == []
        await world.finished(within=30)
        assert len(world.ledger.executions) == 1
        assert two == []


@pytest.mark.parametrize("frozen", [4.5, 8.0, 30.0, 3600.0])
@virtual
async def test_a_frozen_leader_does_no_harm_when_it_thaws(frozen: float) -> None:
    async with World(script={"a": [gives(1, seconds=2)], "b": [gives(2, seconds=90)]}) as world:
        leader, standby = await pair(world)
        await world.submit(spec(python("a"), python("b", dependsOn=["a"])))
        await world.until(lambda: bool(world.ledger.executions), "a has started")
        leader.freeze()
        assert await takeover(world, standby) < BAR
        await world.quiet(frozen)
        before = len(work(leader))
        leader.thaw()
        await world.quiet(5)
        assert not leader.leading
        assert len(work(leader)) == before, "it has stopped before it could do anything"
        await world.finished()
        await world.quiet(60)
        assert (standby.leading, leader.leading) == (True, False)
        assert len(work(leader)) == before
        assert world.ledger.doubled() == []


@virtual
async def test_a_leader_that_thaws_begins_no_pass_though_timers_have_elapsed() -> None:
    async with World() as world:
        leader, standby = await pair(world)
        for tenth in range(0, 40, 2):
            await world.submit(
                spec(wait("w", duration=f"{6000 + tenth * 100}ms")), name=f"w{tenth}"
            )
        await world.quiet(5.5)
        leader.freeze()
        await takeover(world, standby)
        await world.quiet(60)
        thawed = world.clock.monotonic()
        world.loop.thaw(leader)  # its watch has not caught up: to it the timers are due
        await world.quiet(30)
        late = [c for c in leader.line.calls if c.at >= thawed and c.kind is not Kind.LEASE]
        assert late == []


@pytest.mark.parametrize(
    "error",
    [Unavailable("cut off"), Busy("slow down", retry_after=1), Rejected("forbidden", code=403)],
    ids=["cut-off", "busy", "forbidden"],
)
@virtual
async def test_a_leader_that_cannot_renew_stops_before_another_one_starts(error: Exception) -> None:
    async with World(script=reference.SCRIPT) as world:
        two = watch_for_two(world)
        leader, standby = await pair(world)

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.kind is Kind.LEASE:
                raise error
            return await send()

        playing = asyncio.create_task(reference.play(world))
        await world.quiet(1)
        leader.line.intercept = intercept
        cut = world.clock.monotonic()
        await world.until(lambda: not leader.leading, "it gives up", within=10, step=0.01)
        assert world.clock.monotonic() - cut <= SECONDS * 0.75 + 0.02
        await takeover(world, standby)
        taken = world.clock.monotonic()
        reference.check(world, await playing)
        assert [c for c in work(leader) if c.at > taken] == []
        assert leader.ready, "it stands by, with a warm cache"
        leader.line.intercept = None
        standby.die()
        assert await takeover(world, leader) < BAR
        assert two == []


@virtual
async def test_a_renewal_that_is_lost_costs_nothing() -> None:
    """Answers get lost, whether the write was made or not; each time there is a next try."""
    async with World(script=reference.SCRIPT) as world:
        leader, standby = await pair(world)
        count = 0

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            nonlocal count
            if call.kind is Kind.LEASE and call.writes:
                count += 1
                if count % 2:
                    if count % 4 == 1:
                        await send()
                    raise Unavailable("the connection was reset")
            return await send()

        leader.line.intercept = intercept
        reference.check(world, await reference.play(world))
        assert count > 10
        assert (leader.leading, standby.line.writes()) == (True, [])


@pytest.mark.parametrize(("delay", "keeps"), [(0.3, True), (0.9, True), (1.5, False)])
@virtual
async def test_a_slow_api_server(delay: float, keeps: bool) -> None:
    """As slow as the Lease allows it changes nothing; slower, and nobody leads for long. It must
    not happen that two do."""
    async with World() as world:
        two = watch_for_two(world)
        leader, standby = await pair(world)

        async def slow(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            answer = await send()
            await asyncio.sleep(delay)
            return answer

        leader.line.intercept = standby.line.intercept = slow
        await world.quiet(60)
        assert leader.leading is keeps
        assert two == []
        leader.line.intercept = standby.line.intercept = None
        await world.submit(spec(python("a")))
        await world.finished(within=30)


@virtual
async def test_an_outage_of_the_api_server_leaves_both_standing_by() -> None:
    async with World() as world:
        leader, standby = await pair(world)
        reachable = False

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if reachable:
                return await send()
            raise Unavailable("no route to host")

        await world.submit(spec(gate("ok", timeout="24h"), python("a", dependsOn=["ok"])))
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "the gate is open")
        leader.line.intercept = standby.line.intercept = intercept
        await world.quiet(600)
        assert not leader.leading
        assert not standby.leading
        await world.answer(decision="Approved")
        reachable = True
        assert [o.task.done() for o in (leader, standby)] == [False, False]
        await world.finished(within=20)


@pytest.mark.parametrize("hours", [-30, 30], ids=["behind", "ahead"])
@virtual
async def test_a_clock_that_is_wrong_changes_nothing(hours: int) -> None:
    """The holder of the Lease writes the time of a renewal; other processes do not use it."""
    async with World(script=reference.SCRIPT) as world:
        two = watch_for_two(world)
        leader, standby = await pair(world)
        wrong = world.clock.now() + timedelta(hours=hours)
        stamp = wrong.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ticks = 0

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            nonlocal ticks
            answer = await send()
            if call.kind is Kind.LEASE and call.writes:
                ticks += 1
                storage = world.cluster.server.storage
                body = storage.read(Kind.LEASE, NAMESPACE, LEASE) or {}
                dated = {**body["spec"], "renewTime": f"{stamp[:-4]}{ticks:03}Z"}
                storage.write(Kind.LEASE, {**body, "spec": dated})
            return answer

        leader.line.intercept = intercept
        reference.check(world, await reference.play(world))
        assert standby.line.writes() == []
        leader.die()
        assert await takeover(world, standby) < BAR
        assert two == []


@virtual
async def test_a_lease_that_was_removed_or_touched_is_taken_up_again() -> None:
    async with World() as world:
        leader, standby = await pair(world)
        await world.delete(Kind.LEASE, LEASE)
        await world.quiet(5)
        label = {"metadata": {"labels": {"seen": "true"}}}
        await world.user.patch(
            Kind.LEASE, namespace=NAMESPACE, name=LEASE, body=label, patch_type=PatchType.MERGE
        )
        await world.quiet(5)
        assert len([o for o in (leader, standby) if o.leading]) == 1
        assert lease(world)["holderIdentity"].startswith("operator-")


@virtual
async def test_a_holder_that_was_never_there_is_waited_for_no_longer_than_a_minute() -> None:
    async with World() as world:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": LEASE},
            "spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 86400},
        }
        await world.user.create(Kind.LEASE, namespace=NAMESPACE, body=body)
        replica = world.start(replica=True)
        await world.quiet(30)
        assert replica.ready
        assert not replica.leading
        assert await takeover(world, replica) < 40


@virtual
async def test_a_takeover_lists_anew_what_the_watch_has_missed() -> None:
    async with World() as world:
        leader, standby = await pair(world)
        standby.watch.pause()  # a dead link that is not noticed yet
        await world.submit(spec(gate("ok", timeout="24h"), python("a", dependsOn=["ok"])))
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "the gate is open")
        leader.die()
        await world.answer(decision="Approved")
        await world.until(lambda: bool(world.ledger.executions), "a starts", within=10)


@virtual
async def test_a_takeover_does_not_wait_for_lists() -> None:
    async with World() as world:
        leader, standby = await pair(world)
        await world.submit(spec(wait("pause", duration="3s"), python("a", dependsOn=["pause"])))
        await world.until(lambda: bool(world.status().get("nodes")), "it has begun")

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "list" and call.kind is Kind.AGENT_WORKFLOW:
                raise Unavailable("too many objects")
            return await send()

        standby.line.intercept = intercept
        leader.die()
        await world.until(lambda: bool(world.ledger.executions), "a starts", within=10)


@virtual
async def test_they_take_turns_in_dying() -> None:
    async with World(script=reference.SCRIPT) as world:
        two = watch_for_two(world)
        replicas = list(await pair(world))

        async def chaos() -> None:
            while True:
                await asyncio.sleep(5.7)
                found = next((r for r in replicas if r.leading), None)
                if found is not None:
                    replicas.remove(found)
                    found.die()
                    replicas.append(world.start(replica=True, seed=len(world.operators)))

        world.helper(chaos())
        reference.check(world, await reference.play(world))
        assert len(world.operators) > 4
        assert two == []


@virtual
async def test_a_conflict_is_no_loss_while_the_holder_is_the_same() -> None:
    async with World() as world:
        leader, standby = await pair(world)
        world.cluster.fail_next("patch", Kind.LEASE, Conflict("stale"), times=1)
        await world.quiet(20)
        assert leader.leading
        assert standby.line.writes() == []
