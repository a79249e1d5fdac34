"""Suspend and cancel on a cluster (S80, S81): what still ends, what never starts."""

from typing import Any

import pytest
from waypost.ports.cluster import Kind

from tests.fakes.nodes.programs import Outcome
from tests.support.builders import gate, python, spec, wait
from tests.support.harness import World, fails, gives, hangs
from tests.support.virtual import virtual

LONG = {"timeout": "9h"}


async def launched(world: World, *paths: str) -> None:
    """Wait until the programs of these nodes run."""

    def ran() -> bool:
        return set(paths) <= {e.path for e in world.ledger.executions}

    await world.until(ran, f"{paths} run", step=0.05)


def phases(world: World) -> dict[str, Any]:
    return {node["path"]: node["phase"] for node in world.status()["nodes"]}


@pytest.mark.parametrize(
    ("program", "grace"),
    [
        pytest.param(hangs(stop_seconds=12.0), 12.0, id="leaves-in-its-own-time"),
        pytest.param(hangs(stop_seconds=None), 30.0, id="ignores-the-signal"),
    ],
)
@virtual
async def test_a_cancel_gives_programs_their_grace(program: Any, grace: float) -> None:
    async with World(script={"a": [program]}) as world:
        world.start()
        await world.submit(spec(python("a", **LONG), python("b", dependsOn=["a"])))
        await launched(world, "a")
        await world.patch_run({"cancel": True})
        asked = world.clock.monotonic()
        status = await world.finished(within=120)
        (ran,) = world.ledger.executions
        assert ran.ended_at is not None, "it has ended before the run has"
        assert grace <= ran.ended_at - asked <= grace + 5, "SIGTERM, and SIGKILL only after 30 s"
        assert phases(world) == {"a": "Cancelled", "b": "Cancelled"}
        assert status["phase"] == "Cancelled"


@virtual
async def test_a_result_that_is_given_in_the_grace_is_kept() -> None:
    async with World(script={"a": [lambda pod: pod.stops_with({"n": 1})]}) as world:
        world.start()
        await world.submit(spec(python("a", **LONG), outputs={"n": "${nodes.a.output.n}"}))
        await launched(world, "a")
        await world.patch_run({"cancel": True})
        status = await world.finished(within=120)
        assert (status["phase"], phases(world), status["outputs"]) == (
            "Cancelled",
            {"a": "Succeeded"},
            {"n": 1},
        )


@pytest.mark.parametrize("suspended", [False, True], ids=["running", "suspended"])
@virtual
async def test_a_cancel_ends_whatever_is_waited_for(suspended: bool) -> None:
    raw = spec(
        python("done"),
        gate("ok", timeout="9h"),
        wait("w", duration="9h"),
        python("backoff", retry={"limit": 3, "backoff": {"initial": "2h", "max": "2h"}}),
        python("stuck", queueTimeout="9h"),
        python("paused", onFailure="Pause"),
        python("after", dependsOn=["paused"]),
    )
    stuck = Outcome(blocked="Unschedulable", blocked_text="0/2 nodes")
    script = {"backoff": [fails()], "stuck": [lambda _: stuck], "paused": [fails()]}
    async with World(script=script) as world:
        operator = world.start()
        await world.submit(raw)
        await world.until(
            lambda: bool(world.status()) and phases(world)["backoff"] == "Backoff", "a retry waits"
        )
        await world.until(lambda: phases(world)["paused"] == "Failed", "one waits for a person")
        if suspended:
            await world.patch_run({"suspend": True})
        operator.die()
        await world.patch_run({"cancel": True})
        world.start()
        status = await world.finished(within=120)
        assert status["phase"] == "Cancelled"
        waited = ("ok", "w", "backoff", "stuck", "after")
        assert phases(world) == {
            "done": "Succeeded",
            "paused": "Failed",
            **dict.fromkeys(waited, "Cancelled"),
        }
        (approval,) = world.all(Kind.APPROVAL)
        assert approval["status"]["state"] == "Withdrawn", "nobody is asked any more"
        assert await world.quiet(600.0) == [], "and nothing follows"


@virtual
async def test_suspend_starts_nothing_and_keeps_what_comes() -> None:
    raw = spec(
        python("a", **LONG),
        python("b", dependsOn=["a"]),
        python("flaky", retry={"limit": 3, "backoff": {"initial": "60s"}}),
        python("stuck", queueTimeout="2m"),
        gate("ok", timeout="30m", onDenied="Continue"),
        wait("w", duration="20m"),
        python("last", dependsOn=["w", "ok"]),
    )
    stuck = Outcome(blocked="ErrImagePull", blocked_text="not found")
    script = {
        "a": [gives(1, seconds=90.0)],
        "flaky": [fails(), gives(2)],
        "stuck": [lambda _: stuck, gives(3)],
    }
    async with World(script=script) as world:
        world.start()
        await world.submit(raw)
        await launched(world, "a", "flaky")
        await world.patch_run({"suspend": True})
        await world.quiet(3 * 3600.0)
        assert phases(world) == {
            "a": "Succeeded",
            "b": "Pending",
            "flaky": "Backoff",
            "stuck": "Backoff",
            "ok": "Succeeded",
            "w": "Succeeded",
            "last": "Pending",
        }, "S80: what runs ends, timers and expiries go on, nothing starts, retries included"
        assert world.node("ok")["output"]["expired"] is True
        assert world.status()["phase"] == "Suspended"
        assert {e.path for e in world.ledger.executions} == {"a", "flaky"}
        await world.patch_run({"suspend": False})
        assert (await world.finished(within=900))["phase"] == "Succeeded"
