"""What of the memory cannot be read or written, and what a snapshot leaves out."""

import asyncio
from typing import Any

import pytest
from waypost.ports.cluster import Kind, QuotaExceeded, Rejected, Unavailable

from tests.support.builders import python
from tests.support.harness import World, gives
from tests.support.memory import (
    ENTRY,
    LABELS,
    block,
    entries,
    finds,
    memory_of,
    ran,
    saw,
    snapshot_of,
    triage,
    values,
)
from tests.support.virtual import virtual

DISK = {"a": [finds("disk")]}
QUOTA = QuotaExceeded("exceeded quota: entries", code=403)
DENIED = Rejected("a webhook denied the request", code=403)


def counting(**remember: Any) -> Any:
    """A run that remembers what its node gives as n."""
    node = python("a", inputs={"x": "${memory.?last.?outputs.?n}"})
    return triage(node, memory=block(remember={"n": "${nodes.a.output.n}", **remember}))


@virtual
@pytest.mark.parametrize("kind", [ENTRY, Kind.NODE_RECORD], ids=["entry", "record"])
async def test_a_run_is_not_finished_while_a_quota_refuses_what_it_remembers(kind: Kind) -> None:
    """S697: and it ends by itself once there is room."""
    async with World(script=DISK) as world:
        world.start()
        await world.submit(triage(), name="first", labels=LABELS)
        await world.until(lambda: bool(memory_of(world, "first")), "it has begun", step=0.01)
        world.cluster.server.refusals["create", kind] = lambda: QUOTA
        await asyncio.sleep(60)
        pending = world.condition("MemoryPending", "first")
        assert pending["status"] == "True"
        assert pending["message"] == (
            "entries are not written yet: exceeded quota: entries; the operator tries again"
        )
        assert not world.is_finished("first")
        world.cluster.server.refusals.clear()
        await world.finished("first", within=30)
        assert world.condition("MemoryPending", "first")["status"] == "False"
        assert values(world) == [{"cause": "disk"}]


@virtual
@pytest.mark.parametrize("kind", [ENTRY, Kind.NODE_RECORD], ids=["entry", "record"])
async def test_what_is_refused_permanently_is_given_up(kind: Kind) -> None:
    """S697"""
    async with World(script=DISK) as world:
        world.start()
        await world.submit(triage(), name="first", labels=LABELS)
        await world.until(lambda: bool(memory_of(world, "first")), "it has begun", step=0.01)
        world.cluster.server.refusals["create", kind] = lambda: DENIED
        assert (await world.finished("first"))["phase"] == "Succeeded"
        refused = world.condition("MemoryRejected", "first")
        assert refused["message"] == "not remembered: a webhook denied the request"
        assert not world.all(ENTRY)
        assert "outbox" not in memory_of(world, "first")


@virtual
async def test_an_episode_that_is_too_large_is_not_kept() -> None:
    """S691"""
    each = {f"n{number}": "${nodes.a.output.n}" for number in range(12)}
    async with World(script={"a": [gives({"n": "x" * 1500})]}) as world:
        world.start()
        assert (await ran(world, "first", counting(**each)))["phase"] == "Succeeded"
        refused = world.condition("MemoryRejected", "first")["message"]
        assert refused == "not remembered: memory.remember has 19606 bytes, the limit is 16384"
        assert not world.all(ENTRY)


@virtual
async def test_a_run_never_starts_on_a_guessed_memory() -> None:
    """S690: while the list fails, it waits and says so."""
    async with World(script=DISK) as world:
        world.start()
        await ran(world, "first")
        world.cluster.fail_next("list", ENTRY, Unavailable("etcd is down"), times=10)
        await world.submit(triage(), name="second", labels=LABELS)
        await asyncio.sleep(45)
        assert "attempts" not in world.node("a", "second")
        assert world.condition("Reconciling", "second")["message"] == (
            "the list of MemoryEntries cannot be read: etcd is down; the operator tries again"
        )
        await world.finished("second")
        assert saw(world, "second") == "disk"


@virtual
async def test_a_snapshot_that_cannot_be_stored_keeps_the_run_from_beginning() -> None:
    """S690"""
    async with World(script=DISK) as world:
        world.start()
        world.cluster.server.refusals["create", Kind.NODE_RECORD] = lambda: QUOTA
        await world.submit(triage(), name="first", labels=LABELS)
        await asyncio.sleep(15)
        assert world.condition("Reconciling", "first")["message"] == (
            "its memory cannot be stored: exceeded quota: entries"
        )
        assert not memory_of(world, "first")
        world.cluster.server.refusals.clear()
        await world.finished("first")
        assert values(world) == [{"cause": "disk"}]


@virtual
async def test_a_node_that_needs_a_snapshot_that_is_gone_fails() -> None:
    """S690: with ResultLost; another operator has no copy of it."""
    late = python("b", inputs={"x": "${memory.?last.?run.orValue('')}", "y": "${nodes.a.output}"})
    body = triage(python("a"), late, memory=block(remember={"x": 1}))
    async with World(script={"a": [gives(1, seconds=30.0)]}) as world:
        world.start()
        await world.submit(body, name="first", labels=LABELS)
        await world.until(lambda: bool(memory_of(world, "first")), "it has begun", step=0.01)
        world.operators[-1].die()
        await world.delete(Kind.NODE_RECORD, memory_of(world, "first")["record"])
        world.start()
        await world.finished("first")
        assert world.node("b", "first")["reason"] == "ResultLost"


@virtual
async def test_an_outbox_that_a_person_deletes_is_not_written() -> None:
    """S694: what `waypost memory forget --records` does."""
    async with World(script=DISK) as world:
        first = world.start()
        world.cluster.server.refusals["create", ENTRY] = lambda: QUOTA
        await world.submit(triage(), name="first", labels=LABELS)
        await world.until(lambda: bool(memory_of(world, "first").get("outbox")), "it has ended")
        first.die()
        await world.delete(Kind.NODE_RECORD, memory_of(world, "first")["outbox"][0])
        world.cluster.server.refusals.clear()
        world.start()
        await world.finished("first")
        assert not world.all(ENTRY)


@virtual
async def test_a_value_of_another_type_is_left_out() -> None:
    """S695: an earlier definition remembered a text."""
    text = {"n": "${nodes.a.output.n}", "name": "${run.name}"}
    whole = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    node = python("a", inputs={"x": "${memory.?last.?outputs.?n.orValue(0) + 1}"})
    async with World(script={"a": [gives({"n": "three"})]}) as world:
        world.start()
        await ran(world, "first", triage(python("a"), memory=block(remember=text)))
        world.script["a"] = [gives({"n": 4})]
        body = triage({**node, "outputSchema": whole}, memory=block(remember=text))
        assert (await ran(world, "second", body))["phase"] == "Succeeded"
        (entry,) = [e["metadata"]["name"] for e in entries(world) if "three" in str(e)]
        assert world.condition("MemoryMismatch", "second")["message"] == (
            "1 values were left out, because memory.remember gives another type today: "
            f"n of {entry}"
        )
        assert snapshot_of(world, "second")["episodes"][0]["outputs"] == {"name": "first"}


@virtual
async def test_a_snapshot_above_its_bytes_is_cut_by_whole_entries() -> None:
    """S696: the newest is always read."""
    memory = block(remember={"n": "${nodes.a.output.n}"}, read={"episodes": 20, "maxBytes": 4096})
    body = triage(python("a", inputs={"x": "${memory.?last.?run}"}), memory=memory)
    async with World(script={"a": [gives({"n": "x" * 1500})]}) as world:
        world.start()
        for number in range(4):
            await ran(world, f"run-{number}", body)
        await ran(world, "last", body)
        assert world.condition("MemoryTruncated", "last")["status"] == "True"
        shown = [one["run"] for one in snapshot_of(world, "last")["episodes"]]
        assert shown == ["run-3", "run-2"]
        assert memory_of(world, "last")["episodes"] == 2
