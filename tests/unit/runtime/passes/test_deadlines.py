"""Deadlines on a cluster: they pass while operators come and go, and pods get their grace."""

import pytest
from waypost.kube.timestamps import parse_timestamp
from waypost.ports.cluster import Kind

from tests.support.builders import gate, python, spec, wait
from tests.support.harness import World, fails, gives, hangs
from tests.support.virtual import virtual


def seconds(later: str, earlier: str) -> float:
    """Between two times of a status."""
    end, start = parse_timestamp(later), parse_timestamp(earlier)
    assert end is not None
    assert start is not None
    return (end - start).total_seconds()


@pytest.mark.parametrize("away", [False, True], ids=["operator-there", "operator-back-later"])
@virtual
async def test_a_node_ends_by_its_deadline(away: bool) -> None:
    raw = spec(python("a", deadline="5m", timeout="2h"), python("b", timeout="2h"))
    async with World(script={"a": [hangs()], "b": [gives(1, seconds=1200.0)]}) as world:
        operator = world.start()
        await world.submit(raw)
        await world.until(lambda: bool(world.node("a").get("deadlineAt")), "its clock runs")
        began = world.status()["startedAt"]
        if away:
            operator.die()
            await world.quiet(400.0)
            world.start()
        await world.until(lambda: world.node("a")["phase"] == "Failed", "a has ended")
        took = seconds(world.node("a")["finishedAt"], began)
        assert 300 <= took <= (445 if away else 345), "the pod's grace comes on top, no more"
        assert world.node("a")["reason"] == "DeadlineExceeded"
        status = await world.finished()
        assert world.node("b")["phase"] == "Succeeded", "S40: what runs may finish"
        assert status["phase"] == "Failed"


@virtual
async def test_the_runs_deadline_takes_everything_with_it() -> None:
    raw = spec(
        python("early"),
        python("a", dependsOn=["early"], timeout="9h"),
        gate("ok", timeout="9h"),
        wait("w", duration="9h"),
        python("p", onFailure="Pause"),
        deadline="10m",
    )
    script = {"early": [gives(1)], "a": [hangs()], "p": [fails()]}
    async with World(script=script) as world:
        operator = world.start()
        await world.submit(raw)
        await world.until(lambda: world.node("p").get("phase") == "Failed", "p has failed")
        operator.die()
        world.start()
        status = await world.finished(within=900)
        assert status["phase"] == "Failed"
        assert 600 <= seconds(status["finishedAt"], status["startedAt"]) <= 645
        phases = {n["path"]: n["phase"] for n in status["nodes"]}
        assert phases == {
            "early": "Succeeded",
            "a": "Cancelled",
            "ok": "Cancelled",
            "w": "Cancelled",
            "p": "Failed",
        }
        (approval,) = world.all(Kind.APPROVAL)
        assert approval["status"]["state"] == "Withdrawn"
        assert len([e for e in world.ledger.executions if e.path == "a"]) == 1
