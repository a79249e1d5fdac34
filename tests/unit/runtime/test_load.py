"""Many runs at once, and what a wake-up costs."""

from collections import defaultdict

import pytest
from waypost.ports.cluster import Kind
from waypost.runtime.cache.runs import Key

from tests.fakes.api.watch import Delivery
from tests.support.builders import python, spec
from tests.support.harness import World, gives, hangs
from tests.support.virtual import virtual

SOON = Delivery(delay=(0.05, 0.05))  # after the answer to the write that it tells of


@virtual
async def test_two_hundred_runs_at_once() -> None:
    async with World(latency=(0.002, 0.01)) as world:
        operator = world.start(workers=8)
        for number in range(200):
            await world.submit(spec(python("a")), name=f"run-{number}")
        await world.until(
            lambda: (
                world.cluster.server.storage.revision > 0
                and all(world.is_finished(f"run-{n}") for n in range(200))
            ),
            "all are finished",
            within=1200,
            step=5.0,
        )
        phases = {world.status(f"run-{n}")["phase"] for n in range(200)}
        assert phases == {"Succeeded"}
        assert world.ledger.doubled() == []
        assert len(world.ledger.executions) == 200
        await world.quiet(120)
        assert operator.controller.queue.depth == 0
        writes = [c for c in operator.line.writes() if c.kind is not Kind.EVENT]
        assert len(writes) <= 200 * 4


@virtual
async def test_a_new_leader_first_goes_on_with_what_was_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many runs there are that have ended."""
    async with World(script={"slow": [hangs()]}) as world:
        first = world.start()
        ended = [f"ended-{number}" for number in range(20)]
        for name in ended:
            await world.submit(spec(python("a")), name=name)
        await world.until(lambda: all(world.is_finished(name) for name in ended), "all have ended")
        await world.submit(spec(python("slow")), name="open")
        await world.until(lambda: len(world.ledger.executions) > len(ended), "it runs")
        first.die()
        seen: list[str] = []
        second = world.start(workers=1)
        reconcile = second.controller.reconcile

        async def noted(key: Key) -> bool:
            seen.append(key.name)
            return await reconcile(key)

        monkeypatch.setattr(second.controller, "reconcile", noted)
        await world.until(lambda: len(seen) > len(ended), "it has looked at each")
        assert seen[0] == "open"
        assert set(seen) == {"open", *ended}


@virtual
async def test_parallelism_is_respected() -> None:
    async with World(script={f"n{i}": [gives(seconds=5)] for i in range(12)}) as world:
        world.start()
        await world.submit(spec(*(python(f"n{i}") for i in range(12)), parallelism=3))
        await world.finished()
        assert most_at_once(world) == 3


@virtual
async def test_no_more_than_twenty_are_launched_in_a_pass() -> None:
    async with World() as world:
        operator = world.start()
        await world.submit(spec(*(python(f"n{i}") for i in range(45)), parallelism=100))
        await world.finished()
        kinds = [c.kind for c in operator.line.writes() if c.verb != "patch"]
        longest = run = 0
        for kind in kinds:
            run = run + 1 if kind is Kind.JOB else 0
            longest = max(longest, run)
        assert 15 <= longest <= 20, "acting on a fence stays short (A3)"
        assert world.ledger.doubled() == []


def most_at_once(world: World) -> int:
    """The largest number of programs that ran at the same time."""
    moves: dict[float, int] = defaultdict(int)
    for execution in world.ledger.executions:
        moves[execution.started_at] += 1
        moves[execution.ended_at or float("inf")] -= 1
    now = most = 0
    for moment in sorted(moves):
        now += moves[moment]
        most = max(most, now)
    return most


@virtual
async def test_the_echo_of_an_own_write_wakes_nobody() -> None:
    """A pod causes about six events; events of the operator's own writes start no pass."""
    async with World() as world:
        operator = world.start(delivery=SOON)
        await world.submit(spec(python("a")))
        await world.finished()
        await world.quiet(60)
        reported = 1 + 8  # the run itself; what a pod tells: made, bound (2), waiting, running,
        # ended (1 or 2), tracking dropped
        assert operator.telemetry.passes <= reported + 1, operator.telemetry.outcomes
        assert operator.telemetry.outcomes["written"] == 2
        assert operator.telemetry.outcomes["conflict"] == 0


@virtual
async def test_an_own_write_alone_makes_one_pass() -> None:
    async with World() as world:
        operator = world.start(delivery=SOON)
        world.work.refuse_pods(lambda job: "not now")
        await world.quiet(1)
        await world.submit(spec(python("a")))
        await world.quiet(2.5)
        assert operator.telemetry.outcomes == {"written": 1}, (
            "the status written and the Job made come back as events, and change nothing"
        )


@virtual
async def test_a_resync_wakes_every_run_once_and_writes_nothing() -> None:
    async with World() as world:
        operator = world.start(resync_seconds=100.0)
        for number in range(5):
            await world.submit(spec(python("a")), name=f"run-{number}")
        await world.quiet(80)
        passes = operator.telemetry.passes
        assert await world.quiet(100) == []
        assert operator.telemetry.passes == passes + 5
