"""Slots of `concurrency` in the cluster: order of writes, crashes between them, who frees what."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from waypost.api import meta
from waypost.kube.names import slot_digest, slot_name
from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj, Rejected

from tests.fakes.nodes.programs import PodView
from tests.support.builders import python, spec
from tests.support.harness import NAMESPACE, Call, World, gives
from tests.support.virtual import virtual

DIGEST = slot_digest("crm")


def limited(limit: int = 1, **fields: Any) -> Obj:
    return spec(python("a", concurrency={"key": "crm", "limit": limit}, **fields))


def slots(world: World) -> list[str]:
    found = world.all(Kind.LEASE)
    return sorted(
        lease["metadata"]["name"]
        for lease in found
        if meta.LABEL_SLOTS in lease["metadata"].get("labels", {})
    )


def slow(seconds: float) -> Callable[[PodView], Any]:
    return lambda pod: pod.succeeds({"run": pod.run_name}, seconds=seconds)


def overlaps(world: World) -> int:
    """The most programs that ran at the same time."""
    moments = [e.started_at for e in world.ledger.executions]
    return max(
        sum(
            e.started_at <= at and (e.ended_at is None or at < e.ended_at)
            for e in world.ledger.executions
        )
        for at in moments
    )


@virtual
async def test_the_status_comes_first_then_the_slot_then_the_job() -> None:
    """S252; S254: the slot goes after the write that closes the attempt."""
    async with World(script={"a": [slow(5)]}) as world:
        world.start()
        await world.submit(limited())
        await world.finished()
        await world.quiet(5)
        wanted = {(Kind.LEASE, "create"), (Kind.JOB, "create"), (Kind.LEASE, "delete")}
        order = [
            f"{w.request.verb} {w.request.kind.kind}"
            for w in world.cluster.log
            if (w.request.kind, w.request.verb) in wanted or w.request.verb == "patch_status"
        ]
        assert order.index("create Lease") > order.index("patch_status AgentWorkflow")
        assert order.index("create Lease") < order.index("create Job")
        closed = max(i for i, what in enumerate(order) if what == "patch_status AgentWorkflow")
        assert order.index("delete Lease") > closed - 1
        assert slots(world) == []


@pytest.mark.parametrize("limit", [1, 2, 3])
@virtual
async def test_runs_take_turns(limit: int) -> None:
    """S251, S258: never more than the limit, in the order of their creation."""
    async with World(script={"a": [slow(4)]}) as world:
        world.start()
        for number in range(7):
            await world.submit(limited(limit), name=f"r{number}")
            await asyncio.sleep(1)
        for number in range(7):
            await world.finished(f"r{number}")
        assert overlaps(world) == limit
        started = [(e.started_at, e.run_uid) for e in world.ledger.executions]
        uids = [world.run(f"r{number}")["metadata"]["uid"] for number in range(7)]
        assert [uid for _, uid in sorted(started)] == uids
        await world.quiet(5)
        assert slots(world) == []


@virtual
async def test_a_freed_slot_is_taken_at_once() -> None:
    """S254: the run that waits first is woken; it does not wait for its timer."""
    async with World(script={"a": [slow(4)]}) as world:
        world.start()
        await world.submit(limited(), name="one")
        await asyncio.sleep(1)
        await world.submit(limited(), name="two")
        await world.finished("two")
        first, second = world.ledger.executions
        assert first.ended_at is not None
        assert second.started_at - first.ended_at < 3


@virtual
async def test_what_a_waiting_node_shows() -> None:
    """S255"""
    async with World(script={"a": [slow(60)]}) as world:
        world.start()
        await world.submit(limited(), name="one")
        await asyncio.sleep(2)
        await world.submit(limited(), name="two")
        await asyncio.sleep(2)
        node = world.node("a", "two")
        assert (node["phase"], node["reason"]) == ("Pending", "WaitingForSlot")
        assert "held by run one (node a); it is the first in the queue" in node["message"]
        assert "WaitingForSlot" in world.condition("Reconciling", "two")["message"]


@virtual
async def test_what_a_waiting_map_shows() -> None:
    """S255: the whole message of its first item that waits, also after a pass that looks at
    something else, although the text of the item keeps only the beginning."""
    waits = (
        "item 1 of 2 (b/0): WaitingForSlot: waits for key 'the-service-of-a-long-name': 1 of 1 "
        "slots are taken, held by run one (node a); it is the first in the queue"
    )
    key = {"key": "the-service-of-a-long-name", "limit": 1}
    async with World(script={"a": [slow(60)], "b": [slow(1)]}) as world:
        world.start()
        await world.submit(spec(python("a", concurrency=key)), name="one")
        await asyncio.sleep(2)
        every = python("b", forEach={"items": "${[1, 2]}"}, concurrency=key)
        await world.submit(spec(every), name="two")
        await asyncio.sleep(2)
        assert world.node("b", "two")["message"] == waits
        await world.patch_run({"suspend": True}, name="two")
        await asyncio.sleep(2)
        assert world.node("b", "two")["message"] == waits
        await world.patch_run({"suspend": False}, name="two")
        await world.finished("two")


class Dies:
    """Kills the operator around its next create of a Lease or Job, or its next delete of a
    Lease."""

    def __init__(self, world: World, verb: str, kind: Kind, *, sent: bool) -> None:
        self.hit = False
        self._world = world
        self._what = (verb, kind)
        self._sent = sent
        self._operator = world.start()
        self._operator.line.intercept = self._intercept

    async def _intercept(self, call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
        slot = call.name.startswith("waypost-slot-") or call.kind is Kind.JOB
        if (call.verb, call.kind) != self._what or not slot or self.hit:
            return await send()
        self.hit = True
        if self._sent:
            await send()
        self._operator.die()
        self._world.helper(self._restart())
        raise asyncio.CancelledError

    async def _restart(self) -> None:
        await asyncio.sleep(2)
        self._world.start()


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        pytest.param("create", Kind.LEASE, id="the slot is created"),
        pytest.param("create", Kind.JOB, id="the Job is created"),
        pytest.param("delete", Kind.LEASE, id="the slot is freed"),
    ],
)
@virtual
async def test_a_crash_between_two_writes_leaks_no_slot(verb: str, kind: Kind, sent: bool) -> None:
    """S252, S260, VK1"""
    async with World(script={"a": [slow(3)]}) as world:
        dies = Dies(world, verb, kind, sent=sent)
        for name in ("one", "two", "three"):
            await world.submit(limited(), name=name)
        for name in ("one", "two", "three"):
            assert (await world.finished(name))["phase"] == "Succeeded"
        await world.quiet(60)
        assert dies.hit
        assert slots(world) == []
        assert overlaps(world) == 1
        assert len(world.ledger.executions) == 3


@virtual
async def test_a_slot_that_another_attempt_took_first() -> None:
    """S253: two operators pick the same slot; the one that loses starts nothing, and counts
    nothing."""
    async with World(script={"a": [slow(30)]}) as world:
        operator = world.start()
        taken = slot_name(DIGEST, 1)

        async def slower(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "create" and call.kind is Kind.LEASE:
                operator.line.intercept = None
                rival = await world.submit(limited(), name="rival")
                body = {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {
                        "name": taken,
                        "labels": {meta.LABEL_SLOTS: DIGEST},
                        "annotations": {meta.ANNOTATION_RUN_NAME: "rival"},
                    },
                    "spec": {"holderIdentity": f"{rival['metadata']['uid']}/a/1"},
                }
                await world.user.create(Kind.LEASE, namespace=NAMESPACE, body=body)
            return await send()

        operator.line.intercept = slower
        await world.submit(limited())
        await world.until(
            lambda: (
                bool(items(world.node("a"), "attempts"))
                and items(world.node("a"), "attempts")[0].get("reason") == "SlotTaken"
            ),
            "the attempt is given up",
        )
        (attempt,) = items(world.node("a"), "attempts")
        assert attempt["neverStarted"] is True
        assert world.ledger.of("a", run_uid=world.run()["metadata"]["uid"]) == []
        assert (await world.finished())["phase"] == "Succeeded"
        node = world.node("a")
        assert "retries" not in node
        assert "disruptions" not in node
        assert overlaps(world) == 1


@virtual
async def test_a_slot_whose_run_is_gone_is_free() -> None:
    """S260: no garbage collector is needed."""
    async with World(script={"a": [slow(3)]}) as world:
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": slot_name(DIGEST, 1),
                "labels": {meta.LABEL_SLOTS: DIGEST},
                "annotations": {meta.ANNOTATION_RUN_NAME: "gone"},
            },
            "spec": {"holderIdentity": "no-such-uid/a/1"},
        }
        await world.user.create(Kind.LEASE, namespace=NAMESPACE, body=lease)
        world.start()
        await world.submit(limited())
        assert (await world.finished(within=60))["phase"] == "Succeeded"


@virtual
async def test_a_lease_of_another_program_is_left_alone() -> None:
    """S260: it has no holder that Waypost can read, so its number stays taken."""
    async with World(script={"a": [slow(3)]}) as world:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": slot_name(DIGEST, 1)},
            "spec": {"holderIdentity": "somebody"},
        }
        await world.user.create(Kind.LEASE, namespace=NAMESPACE, body=body)
        world.start()
        await world.submit(limited())
        await asyncio.sleep(5)
        assert "is not a slot of Waypost; delete or rename it" in world.node("a")["message"]
        await asyncio.sleep(60)
        assert not world.ledger.executions
        await world.delete(Kind.LEASE, slot_name(DIGEST, 1))
        assert (await world.finished(within=60))["phase"] == "Succeeded"


@virtual
async def test_leases_that_may_not_be_listed_are_named() -> None:
    """A missing right is shown at the node, and the run continues once it is granted."""
    async with World(script={"a": [slow(3)]}) as world:
        operator = world.start()

        async def forbidden(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
            if call.kind is Kind.LEASE and call.verb == "list":
                raise Rejected("leases is forbidden", code=403)
            return await send()

        operator.line.intercept = forbidden
        await world.submit(limited())
        await asyncio.sleep(5)
        node = world.node("a")
        assert (node["phase"], node["reason"]) == ("Pending", "ReadRejected")
        assert "the list of Leases that hold slots cannot be read" in node["message"]
        operator.line.intercept = None
        assert (await world.finished())["phase"] == "Succeeded"


@virtual
async def test_items_and_iterations_hold_slots_of_their_own() -> None:
    """S259: each item holds one, with a key that it can evaluate; a loop frees its slot between
    two iterations."""
    script = {"a": [slow(2)], "b": [slow(2)]}
    async with World(script=script) as world:
        world.start()
        key = {"key": "tenant-${item}", "limit": 1}
        every = python("a", forEach={"items": "${inputs.tenants}"}, concurrency=key)
        loop = python(
            "b",
            repeat={"until": "${index == 2}", "max": 3},
            concurrency={"key": "crm", "limit": 1},
        )
        await world.submit(spec(every, loop, inputs={"tenants": ["x", "x", "y"]}))
        assert (await world.finished())["phase"] == "Succeeded"
        items_ = sorted(world.ledger.of("a"), key=lambda e: e.path)
        assert len(items_) == 3
        ends = {e.path: (e.started_at, e.ended_at or 0.0) for e in items_}
        assert ends["a/1"][0] >= ends["a/0"][1], "items with the same key take turns"
        await world.quiet(5)
        assert slots(world) == []


@virtual
async def test_a_freed_place_in_the_queue_of_a_run_that_is_deleted() -> None:
    """S258: a run that is gone keeps no place."""
    async with World(script={"a": [slow(20)]}) as world:
        world.start()
        for name in ("one", "two", "three"):
            await world.submit(limited(), name=name)
            await asyncio.sleep(1)
        await world.delete(Kind.AGENT_WORKFLOW, "two")
        await world.finished("one")
        started = world.clock.monotonic()
        await world.until(lambda: len(world.ledger.executions) == 2, "three starts")
        assert world.clock.monotonic() - started < 15
        assert section(world.run("three"), "status")["phase"] == "Running"


def test_programs_that_need_no_slot_are_not_slowed_down() -> None:
    """A node without concurrency reads and creates no Lease."""

    @virtual
    async def play() -> None:
        async with World(script={"a": [gives(1)]}) as world:
            operator = world.start()
            await world.submit(spec(python("a")))
            await world.finished()
            leases = [c for c in operator.line.calls if c.kind is Kind.LEASE]
            assert len([c for c in leases if c.verb != "list"]) == 0
            assert len(leases) <= 1, "the sweep at the beginning"

    play()


@virtual
async def test_s251_the_slot_of_a_lost_machine_is_free_although_its_program_may_still_run() -> None:
    async with World(script={"a": [slow(9000)]}) as world:
        world.start()
        await world.submit(limited(timeout="9h", retry={"limit": 0}, effect="once"), name="one")
        await world.until(lambda: bool(world.ledger.executions), "it runs")
        await world.submit(limited(timeout="9h"), name="two")
        await asyncio.sleep(1)
        world.work.lose_machine(world.work.pods("a")[0].body["spec"]["nodeName"])
        await asyncio.sleep(200)
        assert len(world.ledger.executions) == 1, "not before the machine is given up"
        await world.finished("one", within=900)
        closed = world.clock.monotonic()
        assert world.status("one")["nodes"][0]["attempts"][0]["reason"] == "NodeLost"
        await world.until(lambda: len(world.ledger.executions) == 2, "the next one", within=30)
        first, second = world.ledger.executions
        assert first.ended_at is None, "nobody could stop it"
        assert second.started_at - closed < 5
