"""S378: a payload counts only if it is the one that the status has recorded."""

from typing import Any

from waypost.ports.cluster import Kind
from waypost.protocol import ijson

from tests.support.builders import python, spec, wait
from tests.support.harness import World, gives
from tests.support.virtual import virtual

LARGE, FORGED = "x" * 3000, "approved"
READ: Any = {"inputs": {"x": "${nodes.a.output}"}, "dependsOn": ["gap"]}


async def replace_record(world: World, name: str, value: Any) -> None:
    """What a person does who may delete and create NodeRecords."""
    (found,) = [one for one in world.all(Kind.NODE_RECORD) if one["metadata"]["name"] == name]
    await world.delete(Kind.NODE_RECORD, name)
    payload = {"data": value, "digest": ijson.digest(value), "size": len(ijson.canonical(value))}
    kept = {key: found["metadata"][key] for key in ("name", "namespace", "labels")}
    kept["ownerReferences"] = found["metadata"]["ownerReferences"]
    spec_ = {key: value for key, value in found["spec"].items() if key != "compressed"}
    body = {**found, "metadata": kept, "spec": {**spec_, **payload}}
    await world.user.create(Kind.NODE_RECORD, namespace=kept["namespace"], body=body)


async def finish_with_record_of_a(world: World, value: Any) -> None:
    """The run ends after the record of its first node was replaced by one that holds `value`."""
    world.start()
    gap = wait("gap", duration="30s", dependsOn=["a"])
    await world.submit(spec(python("a"), gap, python("b", **READ)))
    await world.until(lambda: "outputRecord" in world.node("a"), "a is stored")
    await replace_record(world, world.node("a")["outputRecord"], value)
    world.operators[-1].die()
    world.start()
    await world.finished()


@virtual
async def test_s378_another_payload_in_the_place_of_a_result_is_not_read() -> None:
    async with World(script={"a": [gives(LARGE)], "b": [gives(1)]}) as world:
        await finish_with_record_of_a(world, FORGED)
        assert (world.node("b")["phase"], world.node("b")["reason"]) == ("Failed", "ResultLost")
        assert "does not hold the result that was recorded" in world.node("b")["message"]
        assert [entry.path for entry in world.ledger.executions] == ["a"]


@virtual
async def test_s378_the_same_payload_is_read() -> None:
    """A backup that is restored has other uids, and the same results."""
    async with World(script={"a": [gives(LARGE)], "b": [gives(1)]}) as world:
        await finish_with_record_of_a(world, LARGE)
        assert world.node("b")["phase"] == "Succeeded"
