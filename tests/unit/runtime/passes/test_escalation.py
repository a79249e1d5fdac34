"""S760: the levels of an escalation on a cluster, with operators that die and two that work."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.kube.timestamps import parse_timestamp
from waypost.ports.cluster import Kind, Obj, Rejected

from tests.support.builders import gate, python, spec
from tests.support.harness import Call, World
from tests.support.virtual import virtual

SPEC = spec(
    gate(
        "ok",
        timeout="60s",
        onTimeout="Escalate",
        escalation=[
            {"approvers": {"users": ["mia"]}, "timeout": "60s"},
            {"approvers": {"users": ["cto"]}, "timeout": "60s"},
        ],
    ),
    python("next", dependsOn=["ok"]),
)


def levels(world: World) -> dict[int, Obj]:
    """The Approvals by level; there is one for each."""
    found: dict[int, Obj] = {}
    for one in world.all(Kind.APPROVAL):
        level = one["spec"].get("level", 0)
        assert level not in found, "one Approval for each level"
        found[level] = one
    return found


def open_levels(world: World) -> list[int]:
    found = levels(world).items()
    return [level for level, one in found if one.get("status", {}).get("state", "Open") == "Open"]


async def answer(world: World, level: int, user: str) -> None:
    asked = levels(world)[level]
    given = {"decision": "Approved", "decidedBy": user}
    await world.patch(Kind.APPROVAL, asked["metadata"]["name"], given)


@virtual
async def test_s758_the_second_level_answers() -> None:
    async with World() as world:
        world.start()
        await world.submit(SPEC)
        await world.quiet(70)
        assert open_levels(world) == [1]
        first, second = levels(world)[0], levels(world)[1]
        assert first["status"]["escalatedTo"] == second["metadata"]["name"]
        with pytest.raises(Rejected):
            await answer(world, 0, "ann")
        await answer(world, 1, "mia")
        status = await world.finished(within=60)
        assert status["phase"] == "Succeeded"
        output = next(n for n in status["nodes"] if n["path"] == "ok")["output"]
        assert (output["decision"], output["decidedBy"]) == ("Approved", "mia")
        assert len(world.ledger.of("next")) == 1


@virtual
async def test_s758_nobody_answers_at_any_level() -> None:
    async with World() as world:
        world.start()
        await world.submit(SPEC)
        status = await world.finished(within=400)
        assert status["phase"] == "Failed"
        assert sorted(levels(world)) == [0, 1, 2]
        states = [levels(world)[n]["status"]["state"] for n in range(3)]
        assert states == ["Withdrawn", "Withdrawn", "Denied"]
        assert levels(world)[2]["status"]["expired"] is True
        assert world.ledger.of("next") == []


WRITES = [
    pytest.param(("patch_status", Kind.APPROVAL), id="after-the-withdrawal"),
    pytest.param(("patch_status", Kind.AGENT_WORKFLOW), id="after-the-status"),
    pytest.param(("create", Kind.APPROVAL), id="after-the-question"),
]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("away", [1.0, 200.0])
@virtual
async def test_s760_an_operator_that_dies_between_the_writes(
    write: tuple[str, Kind], away: float
) -> None:
    async with World() as world:
        operator = world.start()
        await world.submit(SPEC)
        await world.quiet(50)

        async def intercept(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            done = await send()
            if (call.verb, call.kind) == write:
                operator.die()
                raise asyncio.CancelledError
            return done

        operator.line.intercept = intercept
        await world.quiet(15)
        recorded = world.node("ok").get("wakeAt")
        await asyncio.sleep(away)
        world.start()
        await world.quiet(5)
        expected = (
            1 if away < 60 or (write[1] is Kind.APPROVAL and write[0] == "patch_status") else 2
        )
        assert open_levels(world) == [expected]
        node = world.node("ok")
        assert (node["level"], node["approval"]) == (
            expected,
            levels(world)[expected]["metadata"]["name"],
        )
        if away < 60 and write[0] != "patch_status":
            assert node["wakeAt"] == recorded, "the first due time"
        for level in range(expected):
            following = levels(world).get(level + 1)
            assert following is not None
            assert levels(world)[level]["status"]["escalatedTo"] == following["metadata"]["name"]
        await answer(world, expected, {1: "mia", 2: "cto"}[expected])
        assert (await world.finished(within=60))["phase"] == "Succeeded"


@virtual
async def test_s760_two_operators_make_one_question_for_each_level() -> None:
    async with World() as world:
        world.start()
        world.start(seed=7)
        await world.submit(SPEC)
        await world.quiet(130)
        assert sorted(levels(world)) == [0, 1, 2]
        assert open_levels(world) == [2]
        for level in (1, 2):
            before = parse_timestamp(levels(world)[level - 1]["spec"]["expiresAt"])
            due = parse_timestamp(levels(world)[level]["spec"]["expiresAt"])
            assert before is not None
            assert due is not None
            assert 60.0 <= (due - before).total_seconds() < 63.0, "the whole of its time"
        await answer(world, 2, "cto")
        assert (await world.finished(within=60))["phase"] == "Succeeded"


@virtual
async def test_s761_a_cancelled_run_asks_no_further_level() -> None:
    async with World() as world:
        world.start()
        await world.submit(SPEC)
        await world.quiet(70)
        await world.patch_run({"cancel": True})
        status = await world.finished(within=60)
        assert status["phase"] == "Cancelled"
        assert sorted(levels(world)) == [0, 1]
        assert levels(world)[1]["status"]["state"] == "Withdrawn"
        assert "escalatedTo" not in levels(world)[1]["status"]
