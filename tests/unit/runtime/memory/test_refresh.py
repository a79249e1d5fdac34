"""Rounds that read the memory again, on a simulated cluster."""

import asyncio
from typing import Any

import pytest
from waypost.compiler.definition import define
from waypost.ports.cluster import Kind, QuotaExceeded, Unavailable

from tests.support.builders import agent, python, spec
from tests.support.harness import World, fails, gives
from tests.support.memory import (
    ENTRY,
    LABELS,
    block,
    entries,
    finds,
    memory_of,
    ran,
    reader,
    saw,
    snapshot_of,
    triage,
)
from tests.support.virtual import virtual


def late() -> Any:
    """A run with a node that reads its memory, and one that does not."""
    return triage(reader(), python("b"))


async def again(world: World, name: str, **rerun: Any) -> Any:
    """The status of a run after its next round."""
    number = int(world.status(name)["round"]) + 1
    await world.patch_run({"rerun": {"round": number, **rerun}}, name=name)
    await world.until(lambda: world.status(name)["round"] == number, "the round has begun")
    return await world.finished(name)


@virtual
async def test_a_round_reads_what_was_written_since() -> None:
    """S748: the nodes that read something else run again, and no others."""
    script = {"a": [finds("disk")] * 3, "b": [gives({"n": 1})]}
    async with World(script=script) as world:
        world.start()
        await ran(world, "late", late())
        await ran(world, "other", triage())
        before = memory_of(world, "late")
        await again(world, "late", memory="Refresh")
        assert saw(world, "late") == "disk"
        after = memory_of(world, "late")
        assert after["record"] != before["record"]
        assert after["episodes"] == 1
        found = {n["path"]: n["dispositionMessage"] for n in world.status("late")["nodes"]}
        assert found == {
            "a": "what it reads of the memory has changed",
            "b": "as in round 1",
        }


@virtual
async def test_a_round_without_refresh_reads_what_the_first_one_read() -> None:
    """S690: whatever was written since."""
    async with World(script={"a": [finds("disk")] * 3}) as world:
        world.start()
        await ran(world, "late", triage())
        await ran(world, "other", triage())
        before = memory_of(world, "late")["record"]
        await again(world, "late", **{"from": ["a"]})
        assert saw(world, "late") == "nothing"
        assert memory_of(world, "late")["record"] == before


@virtual
async def test_a_node_that_reads_the_same_keeps_its_checkpoint() -> None:
    """S748: the snapshot has changed, and not what the node reads of it."""
    node = python("a", inputs={"key": "${memory.key}"}, outputSchema={"type": "object"})
    body = triage(node, memory=block(remember={"n": "${run.name}"}))
    async with World(script={"a": [gives({"n": 1})] * 3}) as world:
        world.start()
        await ran(world, "late", body)
        await again(world, "late", memory="Refresh")
        assert world.node("a", "late")["attempt"] == 1
        assert memory_of(world, "late")["episodes"] == 1  # that of its first round
        assert len(snapshot_of(world, "late")["episodes"]) == 1


@virtual
async def test_the_round_waits_for_what_it_cannot_read() -> None:
    """S748: it never begins on a guess, and its snapshot is written with it."""
    script = {"a": [finds("disk")] * 3}
    async with World(script=script) as world:
        world.start()
        await ran(world, "late", triage())
        await ran(world, "other", triage())
        world.cluster.fail_next("list", ENTRY, Unavailable("etcd is down"), times=10)
        await world.patch_run({"rerun": {"round": 2, "memory": "Refresh"}}, name="late")
        await asyncio.sleep(3)
        assert world.status("late")["round"] == 1
        assert world.condition("Accepted", "late")["message"] == (
            "rerun.memory: the list of MemoryEntries cannot be read: etcd is down; the operator "
            "tries again"
        )
        await world.until(lambda: world.status("late")["round"] == 2, "it has begun")
        await world.finished("late")
        assert saw(world, "late") == "disk"


@virtual
async def test_the_round_waits_until_its_snapshot_is_stored() -> None:
    """S748: a quota refuses the NodeRecord for a while."""
    async with World(script={"a": [finds("disk")] * 3}) as world:
        world.start()
        await ran(world, "late", triage())
        await ran(world, "other", triage())
        quota = QuotaExceeded("exceeded quota: records", code=403)
        world.cluster.server.refusals["create", Kind.NODE_RECORD] = lambda: quota
        await world.patch_run({"rerun": {"round": 2, "memory": "Refresh"}}, name="late")
        await asyncio.sleep(60)
        assert world.status("late")["round"] == 1
        assert "cannot be stored" in world.condition("Accepted", "late")["message"]
        world.cluster.server.refusals.clear()
        await world.until(lambda: world.status("late")["round"] == 2, "it has begun")
        await world.finished("late")
        assert world.condition("Accepted", "late")["status"] == "True"
        assert saw(world, "late") == "disk"
        assert len(entries(world)) == 3


@virtual
async def test_a_cancel_does_not_wait_for_the_snapshot_of_a_round() -> None:
    """S748, K1: the run is paused, and its next round cannot begin."""
    async with World(script={"a": [finds("disk")] * 3, "p": [fails()]}) as world:
        world.start()
        body = triage(reader(), python("p", onFailure="Pause"))
        await world.submit(body, name="late", labels=LABELS)
        await world.until(lambda: world.status("late").get("phase") == "Paused", "paused")
        await ran(world, "other", triage())
        quota = QuotaExceeded("exceeded quota: records", code=403)
        world.cluster.server.refusals["create", Kind.NODE_RECORD] = lambda: quota
        await world.patch_run({"rerun": {"round": 2, "memory": "Refresh"}}, name="late")
        await world.until(lambda: quota.message in str(world.status("late")), "it says why")
        await world.patch_run({"cancel": True}, name="late")
        assert (await world.finished("late", within=60))["phase"] == "Cancelled"


@virtual
async def test_a_lost_snapshot_is_replaced() -> None:
    """S748: after `waypost memory forget --records`, a person may let the run read again."""
    async with World(script={"a": [finds("disk")] * 3}) as world:
        world.start()
        await ran(world, "late", triage())
        await world.delete(Kind.NODE_RECORD, memory_of(world, "late")["record"])
        await again(world, "late", memory="Refresh")
        assert world.node("a", "late")["attempt"] == 2
        assert snapshot_of(world, "late") is not None


def test_a_run_without_memory_cannot_read_it_again() -> None:
    """S748: a field without an effect is refused."""
    body = spec(python("a"), rerun={"round": 2, "memory": "Refresh"})
    assert [str(one) for one in define(body).problems] == [
        "rerun.memory: this run has no memory block; add memory: {key: ...}"
    ]


@pytest.mark.parametrize("inject", ["Both", "None"])
def test_agents_that_are_given_notes_read_the_memory(inject: str) -> None:
    """S748: they are compared by what they are given."""
    body = triage(
        agent("b", memory={"inject": inject}), memory=block(remember={"n": "${run.name}"})
    )
    assert define(body).memory_readers == ({"b"} if inject == "Both" else set())
