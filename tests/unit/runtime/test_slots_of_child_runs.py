"""`concurrency` of a `workflow` node: its child run holds the slot from its start to its end."""

import asyncio
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Obj

from tests.support.builders import gate, python, spec
from tests.support.children import calls, child, children
from tests.support.harness import RUN, World
from tests.support.templates import create_template
from tests.support.virtual import virtual
from tests.unit.runtime.test_slots import Dies, overlaps, slots, slow

PART = "part"
CRM: JsonObject = {"key": "crm-${self.inputs.tenant}", "limit": 1}
TENANT: JsonObject = {"type": "object", "properties": {"tenant": {"type": "string"}}}
PAIR = (python("a"), python("b", after=["a"]))


def called(name: str, *, tenant: str = "x", key: JsonObject = CRM, **fields: Any) -> Obj:
    return calls(name, PART, inputs={"tenant": tenant}, concurrency=key, **fields)


async def template(world: World, *nodes: JsonObject, **fields: Any) -> None:
    await create_template(world, spec(*(nodes or PAIR), inputSchema=TENANT, **fields), PART)


def spans(world: World) -> list[tuple[float, float]]:
    """From the first start to the last end of the programs of each child run."""
    found = []
    for one in world.all(Kind.AGENT_WORKFLOW):
        ran = [e for e in world.ledger.executions if e.run_uid == one["metadata"]["uid"]]
        if section(one, "spec").get("parent") and ran:
            ends = max(e.ended_at or float("inf") for e in ran)
            found.append((min(e.started_at for e in ran), ends))
    return found


def most_at_once(world: World) -> int:
    found = spans(world)
    return max(sum(begin <= start < end for begin, end in found) for start, _ in found)


def is_open(approval: Obj) -> bool:
    return bool(section(approval, "status").get("state", "Open") == "Open")


@pytest.mark.parametrize("limit", [1, 2])
@virtual
async def test_s531_child_runs_take_turns_from_start_to_end(limit: int) -> None:
    """Between its two programs a child run holds the slot too."""
    async with World(script={"a": [slow(3)], "b": [slow(3)]}) as world:
        world.start()
        await template(world)
        nodes = [called(f"n{at}", key={**CRM, "limit": limit}) for at in range(4)]
        await world.submit(spec(*nodes))
        assert (await world.finished(within=300))["phase"] == "Succeeded"
        assert most_at_once(world) == limit
        await world.quiet(5)
        assert slots(world) == []


@virtual
async def test_s531_it_shares_the_key_with_nodes_of_other_runs() -> None:
    script = {"a": [slow(5)], "b": [slow(5)], "single": [slow(5)]}
    async with World(script=script) as world:
        world.start()
        await template(world)
        await world.submit(spec(called("one")))
        await world.submit(spec(python("single", concurrency={"key": "crm-x"})), name="other")
        await world.submit(spec(called("two", tenant="y")), name="third")
        for name in (RUN, "other", "third"):
            assert (await world.finished(name, within=300))["phase"] == "Succeeded"
        assert overlaps(world) == 2, "another tenant has another key"


@virtual
async def test_s531_items_take_turns_and_a_question_holds_the_slot() -> None:
    async with World(script={"a": [slow(2)], "b": [slow(2)]}) as world:
        world.start()
        await template(world, python("a"), gate("ok", after=["a"]), python("b", after=["ok"]))
        each = called("scan", forEach={"items": "${[1, 2, 3]}"})
        await world.submit(spec(each))
        for begun in (1, 2, 3):
            await asyncio.sleep(40)
            assert len(spans(world)) == begun, "the others wait for the one that asks"
            asked = [one for one in world.all(Kind.APPROVAL) if is_open(one)]
            assert len(asked) == 1
            answer = {"decision": "Approved"}
            await world.patch(Kind.APPROVAL, asked[0]["metadata"]["name"], answer)
        assert (await world.finished(within=300))["phase"] == "Succeeded"


@virtual
async def test_s532_what_the_node_shows_while_its_child_run_waits() -> None:
    async with World(script={"a": [slow(60)], "b": [slow(1)]}) as world:
        world.start()
        await template(world)
        await world.submit(spec(called("one"), {**called("two"), "dependsOn": []}))
        await asyncio.sleep(20)
        waiting = [child_ for child_ in children(world) if child_["status"]["phase"] == "Waiting"]
        assert len(waiting) == 1
        path = waiting[0]["spec"]["parent"]["path"]
        message = world.node(path)["message"]
        assert "waits for key 'crm-x': 1 of 1 slots are taken" in message
        await world.patch_run({"cancel": True})
        assert (await world.finished(within=120))["phase"] == "Cancelled"
        await world.quiet(5)
        assert slots(world) == []


REFUSED = [
    pytest.param(
        {"concurrency": {"key": "crm-x"}},
        {},
        "'crm-x' is held by run CHILD from its start to its end",
        id="a node below asks for it",
    ),
    pytest.param(
        {},
        {"concurrency": {"key": "other"}},
        "has the key 'crm-x', and this run has one of its template; a run holds one key",
        id="the template has one",
    ),
]


@pytest.mark.parametrize(("of_node", "of_template", "says"), REFUSED)
@virtual
async def test_s533_one_key(of_node: JsonObject, of_template: JsonObject, says: str) -> None:
    async with World(script={"a": [slow(1)]}) as world:
        world.start()
        await template(world, python("a", **of_node), **of_template)
        await world.submit(spec(called("one")))
        assert (await world.finished(within=120))["phase"] == "Failed"
        found = child(world)
        name = found["metadata"]["name"]
        assert "InputInvalid" in str(found["status"])
        assert says.replace("CHILD", name) in world.condition("Succeeded", name)["message"]
        assert world.ledger.executions == []


@virtual
async def test_s533_the_key_of_its_own_run() -> None:
    async with World(script={"a": [slow(1)]}) as world:
        world.start()
        await template(world)
        await world.submit(spec(called("one"), concurrency={"key": "crm-${'x'}"}))
        assert (await world.finished(within=120))["phase"] == "Failed"
        assert world.node("one")["reason"] == "InputInvalid"
        assert f"'crm-x' is held by run {RUN}" in world.node("one")["message"]
        assert children(world) == []


@virtual
async def test_s534_a_round_takes_a_slot_of_the_key_that_the_node_has_then() -> None:
    async with World(script={"a": [slow(1)], "b": [lambda pod: pod.fails(), slow(5)]}) as world:
        world.start()
        await template(world)
        await world.submit(spec(called("one")))
        assert (await world.finished(within=120))["phase"] == "Failed"
        await world.quiet(5)
        assert slots(world) == []
        again = spec(called("one", key={"key": "later"}))
        await world.patch_run({**again, "rerun": {"round": 2}})
        await world.until(lambda: len(slots(world)) == 1, "a slot is taken")
        assert child(world)["spec"]["parent"]["concurrency"] == {"key": "later", "limit": 1}
        await world.until(
            lambda: world.status().get("round") == 2 and world.is_finished(), "round 2"
        )
        assert world.status()["phase"] == "Succeeded"
        assert len(world.ledger.of("a")) == 1, "the child run has continued"
        await world.quiet(5)
        assert slots(world) == []


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("verb", ["create", "delete"])
@virtual
async def test_s531_a_crash_leaks_no_slot(verb: str, sent: bool) -> None:
    async with World(script={"a": [slow(3)], "b": [slow(3)]}) as world:
        await template(world)
        dies = Dies(world, verb, Kind.LEASE, sent=sent)
        await world.submit(spec(*[called(f"n{at}") for at in range(3)]))
        assert (await world.finished(within=300))["phase"] == "Succeeded"
        await world.quiet(60)
        assert dies.hit
        assert slots(world) == []
        assert most_at_once(world) == 1
        assert len(world.ledger.executions) == 6


def test_s533_skip_is_refused() -> None:
    problems = define(spec(called("one", key={**CRM, "whenFull": "Skip"}))).problems
    assert "Skip cannot be used with workflow: its child run waits for the key" in str(problems[0])
