"""`spec.concurrency`: a run holds a slot from its start to its end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.kube.names import slot_digest, slot_name
from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Obj

from tests.support.builders import gate, python, spec
from tests.support.harness import Call, World
from tests.support.templates import create_template
from tests.support.virtual import virtual
from tests.unit.runtime.test_slots import Dies, overlaps, slots, slow


def held(*nodes: JsonObject, limit: int = 1, key: str = "env", **fields: Any) -> Obj:
    block: JsonObject = {"key": key, "limit": limit}
    if (skip := fields.pop("whenFull", None)) is not None:
        block["whenFull"] = skip
    return spec(*(nodes or (python("a"), python("b", after=["a"]))), concurrency=block, **fields)


@pytest.mark.parametrize("limit", [1, 2])
@virtual
async def test_runs_take_turns_from_start_to_end(limit: int) -> None:
    """S263"""
    async with World(script={"a": [slow(3)], "b": [slow(3)]}) as world:
        world.start()
        for number in range(5):
            await world.submit(held(limit=limit), name=f"r{number}")
            await asyncio.sleep(0.5)
        for number in range(5):
            assert (await world.finished(f"r{number}"))["phase"] == "Succeeded"
        assert overlaps(world) == limit
        spans = [
            (min(e.started_at for e in ran), max(e.ended_at or 0.0 for e in ran))
            for number in range(5)
            if (ran := [e for e in world.ledger.executions if e.run_uid == uid_of(world, number)])
        ]
        for start, _ in spans:
            assert sum(begin <= start < end for begin, end in spans) <= limit
        await world.quiet(5)
        assert slots(world) == []
        assert "name" not in section(world.status("r0"), "slot")


def uid_of(world: World, number: int) -> str:
    return str(world.run(f"r{number}")["metadata"]["uid"])


@virtual
async def test_a_run_that_waits_says_for_what() -> None:
    """S263: WAITING of `kubectl get`, and the conditions."""
    async with World(script={"a": [slow(60)]}) as world:
        world.start()
        await world.submit(held(), name="one")
        await asyncio.sleep(2)
        await world.submit(held(), name="two")
        await asyncio.sleep(2)
        status = world.status("two")
        assert status["phase"] == "Waiting"
        expected = "1 of 1 slots are taken, held by run one; it is the first in the queue"
        assert expected in status["waiting"]
        assert expected in world.condition("Reconciling", "two")["message"]
        assert {node["phase"] for node in status["nodes"]} == {"Pending"}
        assert section(world.status("one"), "slot") == {
            "name": slot_name(slot_digest("env"), 1),
            "number": 1,
            "taken": True,
        }


@virtual
async def test_a_run_holds_its_slot_while_it_waits_for_people() -> None:
    """S263"""
    async with World(script={"a": [slow(1)]}) as world:
        world.start()
        await world.submit(held(gate("ok"), python("a", after=["ok"])), name="one")
        await asyncio.sleep(5)
        await world.submit(held(), name="two")
        await asyncio.sleep(60)
        assert world.status("two")["phase"] == "Waiting"
        await world.answer(decision="Approved")
        await world.finished("one")
        assert (await world.finished("two"))["phase"] == "Succeeded"


@virtual
async def test_skip_ends_the_run_at_once() -> None:
    """S264: nothing of it has started, and no clean-up is needed."""
    async with World(script={"a": [slow(30)]}) as world:
        world.start()
        await world.submit(held(), name="one")
        await asyncio.sleep(2)
        skipping = {**held(whenFull="Skip"), "finally": [python("clean")]}
        await world.submit(skipping, name="two")
        status = await world.finished("two", within=20)
        assert status["phase"] == "Cancelled"
        assert world.condition("Succeeded", "two")["reason"] == "SlotTaken"
        message = world.condition("Succeeded", "two")["message"]
        assert message == ("whenFull is Skip: key 'env': 1 of 1 slots are taken, held by run one")
        assert world.ledger.of("a", run_uid=world.run("two")["metadata"]["uid"]) == []
        assert world.ledger.of("clean") == []


@virtual
async def test_a_cancelled_run_that_waits_ends_at_once() -> None:
    """S263"""
    async with World(script={"a": [slow(60)]}) as world:
        world.start()
        await world.submit(held(), name="one")
        await asyncio.sleep(2)
        await world.submit(held(), name="two")
        await asyncio.sleep(2)
        await world.patch_run({"cancel": True}, name="two")
        assert (await world.finished("two", within=10))["phase"] == "Cancelled"
        assert slots(world) == [slot_name(slot_digest("env"), 1)]


@virtual
async def test_a_round_takes_a_slot_again() -> None:
    """S263: with another number, so that a Lease of the first round is not taken for its own."""
    async with World(script={"a": [lambda pod: pod.fails(), slow(1)]}) as world:
        world.start()
        await world.submit(held(python("a")))
        assert (await world.finished())["phase"] == "Failed"
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(
            lambda: world.status().get("round") == 2 and world.is_finished(), "round 2"
        )
        assert world.status()["phase"] == "Succeeded"
        assert section(world.status(), "slot") == {"number": 2}
        await world.quiet(5)
        assert slots(world) == []


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("verb", ["create", "delete"])
@virtual
async def test_a_crash_leaks_no_slot_of_a_run(verb: str, sent: bool) -> None:
    """S263, S260, VK1"""
    async with World(script={"a": [slow(3)], "b": [slow(3)]}) as world:
        dies = Dies(world, verb, Kind.LEASE, sent=sent)
        for number in range(3):
            await world.submit(held(), name=f"r{number}")
        for number in range(3):
            assert (await world.finished(f"r{number}"))["phase"] == "Succeeded"
        await world.quiet(60)
        assert dies.hit
        assert slots(world) == []
        assert overlaps(world) == 1
        assert len(world.ledger.executions) == 6


@virtual
async def test_an_operator_that_was_frozen_creates_a_slot_that_nobody_uses() -> None:
    """S263: nodes start only once the Lease is seen to name the run, so the run waits for it."""
    async with World(script={"a": [slow(3)], "b": [slow(3)]}) as world:
        operator = world.start()

        async def freeze(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "create" and call.kind is Kind.LEASE:
                operator.line.intercept = None
                operator.freeze()
                world.start()
                await asyncio.sleep(0)
            return await send()

        operator.line.intercept = freeze
        await world.submit(held(), name="r0")
        await world.submit(held(), name="r1")
        await asyncio.sleep(8)
        operator.thaw()
        for number in range(2):
            assert (await world.finished(f"r{number}"))["phase"] == "Succeeded"
        operator.die()
        await world.quiet(60)
        assert slots(world) == []
        assert overlaps(world) == 1


@virtual
async def test_a_child_run_cannot_ask_for_a_key_of_its_parent() -> None:
    """S265: it would wait for itself; the keys of the runs above are in spec.parent."""
    async with World(script={"a": [slow(1)]}) as world:
        world.start()
        await create_template(world, held(python("a")), "part")
        call = {"name": "call", "workflow": {"templateRef": {"name": "part"}}}
        await world.submit(held(call))
        assert (await world.finished(within=120))["phase"] == "Failed"
        (child,) = [run for run in world.all(Kind.AGENT_WORKFLOW) if run["spec"].get("parent")]
        assert child["spec"]["parent"]["keys"] == [{"key": "env", "run": "brief"}]
        condition = world.condition("Succeeded", child["metadata"]["name"])
        assert condition["reason"] == "InputInvalid"
        assert condition["message"] == (
            "concurrency.key: 'env' is held by run brief, of which this is a child run: it would "
            "wait for itself; use another key"
        )


@virtual
async def test_a_node_cannot_ask_for_the_key_of_a_run_above() -> None:
    """S265"""
    async with World(script={"a": [slow(1)]}) as world:
        world.start()
        node = python("a", concurrency={"key": "${inputs.key}"})
        await create_template(
            world,
            spec(node, inputSchema={"type": "object", "properties": {"key": {"type": "string"}}}),
            "part",
        )
        call = {
            "name": "call",
            "workflow": {"templateRef": {"name": "part"}},
            "inputs": {"key": "env"},
        }
        await world.submit(held(call))
        assert (await world.finished(within=120))["phase"] == "Failed"
        assert (
            "'env' is held by run brief from its start to its end" in world.node("call")["message"]
        )


PROBLEMS = [
    pytest.param({"key": "${nodes.a.output}"}, "cannot read nodes", id="nodes"),
    pytest.param({"key": "${self.inputs.x}"}, "self is not available here", id="self"),
    pytest.param({"key": "${item}"}, "item does not exist here", id="item"),
    pytest.param({"key": ""}, "at least 1 character", id="empty"),
    pytest.param({"key": " "}, "the key is empty", id="blank"),
    pytest.param({"key": "x" * 201}, "the key has 201 characters", id="long"),
    pytest.param({"key": "x", "limit": 0}, "expected at least 1, found 0", id="limit"),
]


@pytest.mark.parametrize(("block", "says"), PROBLEMS)
def test_refused(block: JsonObject, says: str) -> None:
    """S262"""
    problems = define(spec(python("a"), concurrency=block)).problems
    assert any(says in str(problem) for problem in problems), problems


def test_lint_finds_a_node_with_the_key_of_its_run() -> None:
    """S265"""
    node = python("a", concurrency={"key": "env"})
    (problem,) = define(held(node)).problems
    assert str(problem) == (
        "nodes.a.concurrency.key: 'env' is held by the run from its start to its end: the node "
        "would wait for its own run; use another key"
    )


def replacing(**fields: Any) -> Obj:
    return held(whenFull="Replace", **fields)


@virtual
async def test_s438_a_younger_run_replaces_an_older_one_after_its_clean_up() -> None:
    script = {"a": [slow(60)], "clean": [slow(10)]}
    async with World(script=script) as world:
        world.start()
        await world.submit({**replacing(), "finally": [python("clean")]}, name="one")
        await asyncio.sleep(5)
        await world.submit(replacing(), name="two")
        assert (await world.finished("one", within=60))["phase"] == "Cancelled"
        assert len(world.ledger.of("clean")) == 1
        assert (await world.finished("two"))["phase"] == "Succeeded"
        assert overlaps(world) == 1


@pytest.mark.parametrize("agrees", [None, "Skip"], ids=["waits", "skips"])
@virtual
async def test_s438_a_run_that_has_not_agreed_is_not_replaced(agrees: str | None) -> None:
    async with World(script={"a": [slow(30)]}) as world:
        world.start()
        await world.submit(held(whenFull=agrees), name="one")
        await asyncio.sleep(5)
        await world.submit(replacing(), name="two")
        assert (await world.finished("one"))["phase"] == "Succeeded"
        assert (await world.finished("two"))["phase"] == "Succeeded"


@virtual
async def test_s438_of_those_that_wait_only_the_youngest_begins() -> None:
    async with World(script={"a": [slow(30)]}) as world:
        world.start()
        await world.submit(held(), name="one")
        await asyncio.sleep(5)
        for name in ("two", "three"):
            await world.submit(replacing(), name=name)
            await asyncio.sleep(2)
        status = await world.finished("two")
        assert status["phase"] == "Cancelled"
        condition = world.condition("Succeeded", "two")
        assert condition["reason"] == "SlotTaken"
        assert "run three with the same key replaces it" in condition["message"]
        assert (await world.finished("one"))["phase"] == "Succeeded"
        assert (await world.finished("three"))["phase"] == "Succeeded"


@virtual
async def test_s438_a_lease_that_a_person_changes_makes_no_run_replaceable() -> None:
    """The agreement is in the status, which only the operator writes."""
    async with World(script={"a": [slow(30)]}) as world:
        world.start()
        await world.submit(held(), name="one")
        await asyncio.sleep(5)
        assert "replaceable" not in section(world.status("one"), "slot")
        await world.submit(replacing(), name="two")
        await asyncio.sleep(5)
        assert not section(world.run("one"), "spec").get("cancel")
