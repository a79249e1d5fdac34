"""S596: others suspend the Job of an attempt whose program runs, and resume it later."""

import pytest
from waypost.ports.cluster import Kind, RefusedForNow

from tests.fakes.cluster import OPERATOR
from tests.fakes.faults import Request, Withheld
from tests.support.builders import python, spec
from tests.support.harness import RUN, World, gives
from tests.support.virtual import virtual


async def suspend(world: World, name: str, suspended: bool) -> None:
    await world.patch(Kind.JOB, name, {"suspend": suspended})


async def running(world: World) -> str:
    """Start a node; the name of the Job whose program runs."""
    await world.submit(spec(python("a")))
    await world.until(lambda: bool(world.ledger.executions), "it runs", within=30)
    return str(world.all(Kind.JOB)[0]["metadata"]["name"])


def job(world: World, name: str) -> dict[str, object]:
    [body] = [body for body in world.all(Kind.JOB) if body["metadata"]["name"] == name]
    found: dict[str, object] = body["spec"]
    return found


@pytest.mark.parametrize(
    ("stop_seconds", "pause"),
    [
        pytest.param(0.0, 30.0, id="resumed-later"),
        pytest.param(20.0, 3.0, id="resumed-while-its-program-ends"),
    ],
)
@virtual
async def test_s596_a_job_that_others_resume_starts_nothing(
    stop_seconds: float, pause: float
) -> None:
    script = {"a": [lambda pod: pod.hangs(stop_seconds=stop_seconds), gives(1)]}
    async with World(script=script) as world:
        world.start()
        name = await running(world)
        await suspend(world, name, True)
        await world.quiet(pause)
        await suspend(world, name, False)
        status = await world.finished(within=300)
        await world.quiet(30)
        reasons = [one["reason"] for one in status["nodes"][0]["attempts"]]
        assert reasons == ["Disrupted", "Succeeded"]
        assert [one.attempt for one in world.ledger.executions] == [1, 2]
        assert not world.ledger.overlaps()


@virtual
async def test_s596_an_attempt_stays_open_while_its_job_cannot_be_stopped() -> None:
    """A stop that is refused would let the Job make a pod for the closed attempt."""
    failing = Withheld(
        lambda request: (request.verb, request.kind) == ("patch", Kind.JOB) and _is_ours(request),
        lambda: RefusedForNow("failed calling webhook: refused", code=500),
    )
    async with World(script={"a": [lambda pod: pod.hangs(), gives(1)]}) as world:
        world.start()
        name = await running(world)
        world.cluster.withheld.append(failing)
        world.work.suspend_job(world.all(Kind.JOB)[0]["metadata"]["uid"], True)
        await world.until(
            lambda: world.node("a").get("reason") == "StopRejected", "it says so", within=60
        )
        assert "its Job cannot be stopped: failed calling webhook" in world.node("a")["message"]
        await world.quiet(120)
        assert world.node("a")["attempt"] == 1
        world.cluster.withheld.remove(failing)
        status = await world.finished(within=120)
        assert [one["reason"] for one in status["nodes"][0]["attempts"]] == [
            "Disrupted",
            "Succeeded",
        ]
        assert job(world, name)["parallelism"] == 0


@virtual
async def test_s596_a_cancel_stops_a_job_that_others_have_suspended() -> None:
    """Its pod is being deleted already, so a stop of the pod alone would change nothing."""
    async with World(script={"a": [lambda pod: pod.hangs(stop_seconds=20.0)]}) as world:
        operator = world.start()
        name = await running(world)
        operator.freeze()
        await suspend(world, name, True)
        await world.quiet(3)
        await world.patch(Kind.AGENT_WORKFLOW, RUN, {"cancel": True})
        operator.thaw()
        await world.finished(within=120)
        await suspend(world, name, False)
        await world.quiet(60)
        assert len(world.ledger.executions) == 1
        assert job(world, name)["parallelism"] == 0


@virtual
async def test_s596_an_attempt_whose_job_is_gone_too_is_closed() -> None:
    async with World(script={"a": [lambda pod: pod.hangs(), gives(1)]}) as world:
        operator = world.start()
        name = await running(world)
        await world.delete(Kind.JOB, name)
        status = await world.finished(within=120)
        reasons = [one["reason"] for one in status["nodes"][0]["attempts"]]
        assert reasons == ["Disrupted", "Succeeded"]
        assert not [call for call in operator.line.writes(Kind.JOB) if call.verb == "patch"]


def _is_ours(request: Request) -> bool:
    return request.user == OPERATOR
