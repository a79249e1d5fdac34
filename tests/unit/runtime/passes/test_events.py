"""Event nodes on a cluster: one event for one consumer, whenever it comes (S641 to S655)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.api.state.event import KEPT_TAKEN
from waypost.kube.timestamps import parse_timestamp, timestamp
from waypost.ports.cluster import AlreadyExists, Kind, RefusedForNow, Rejected

from tests.fakes.api import selectors
from tests.fakes.api.watch import DELAYED, ROUGH, STALE, Delivery
from tests.support.builders import python, spec
from tests.support.events import EVENT, event, phases, send, waits
from tests.support.harness import NAMESPACE, Call, Operator, World, gives
from tests.support.virtual import virtual

SPEC = spec(waits("paid", key="42"), outputs={"got": "${nodes.paid.output}"})


def got(world: World, run: str = "brief") -> Any:
    return world.status(run)["outputs"]["got"]


async def waiting(world: World, run: str = "brief", path: str = "paid") -> None:
    await world.until(lambda: world.node(path, run).get("phase") == "Waiting", "it waits")


@pytest.mark.parametrize("offset", [-60.0, -1.0, 0.0, 0.01, 1.0, 600.0])
@pytest.mark.parametrize("delivery", [Delivery(), DELAYED, ROUGH, STALE], ids=str)
@virtual
async def test_an_event_before_or_after_the_wait_begins(offset: float, delivery: Delivery) -> None:
    """S641"""
    async with World() as world:
        world.start(delivery=delivery)
        if offset <= 0:
            await send(world, "pay-1", payload={"amount": 7})
            await asyncio.sleep(-offset)
        await world.submit(SPEC)
        if offset > 0:
            await waiting(world)
            await asyncio.sleep(offset)
            await send(world, "pay-1", payload={"amount": 7})
        status = await world.finished()
        assert status["phase"] == "Succeeded"
        assert got(world)["id"] == "pay-1"
        assert got(world)["name"] == "paid"
        assert got(world)["payload"] == {"amount": 7}
        await world.until(lambda: phases(world) == {"pay-1": "Consumed"}, "it is consumed")


@virtual
async def test_the_same_event_five_times() -> None:
    """S642"""
    async with World() as world:
        world.start()
        await world.submit(SPEC)
        await send(world, "pay-1")
        for _ in range(4):
            with pytest.raises(AlreadyExists):
                await send(world, "pay-1")
        await world.finished()
        await world.submit(SPEC, name="second")
        await waiting(world, "second")
        await world.quiet(60)
        assert world.node("paid", "second")["phase"] == "Waiting", "nothing is left for it"


@pytest.mark.parametrize("runs", [2, 5])
@virtual
async def test_one_event_goes_to_one_of_several_runs(runs: int) -> None:
    """S643"""
    async with World() as world:
        world.start(delivery=ROUGH)
        names = [f"run-{number}" for number in range(runs)]
        for name in names:
            await world.submit(SPEC, name=name)
            await waiting(world, name)
        await send(world, "pay-1")
        await world.until(lambda: phases(world)["pay-1"] == "Consumed", "it is consumed")
        await world.quiet(60)
        assert sum(world.is_finished(name) for name in names) == 1


@virtual
async def test_two_nodes_of_a_run_get_one_each_oldest_first() -> None:
    """S643, S644"""
    async with World() as world:
        world.start()
        await send(world, "later-id", payload=1)
        await asyncio.sleep(2)
        await send(world, "earlier-id", payload=2)
        await world.submit(spec(waits("a", key="42"), waits("b", key="42")))
        await world.finished()
        assert world.node("a")["output"]["payload"] == 1
        assert world.node("b")["output"]["payload"] == 2


async def waits_again(world: World, *nodes: JsonObject) -> None:
    """A run whose node `a` waits since a later time than `z`, which comes after it in the graph."""
    await send(world, "taken", payload=0)
    await world.submit(spec(*nodes))
    await world.until(lambda: phases(world)["taken"] == "Consumed", "a takes it")
    await asyncio.sleep(10)
    await world.patch_run({"rerun": {"round": 2, "from": ["a"]}})
    await world.until(lambda: world.node("a").get("phase") == "Waiting", "a waits again")
    assert world.node("z")["startedAt"] < world.node("a")["startedAt"]


@virtual
async def test_the_node_that_has_waited_longest_gets_the_event() -> None:
    """S643: whatever their order in the graph; another one gets what does not fit it."""
    async with World() as world:
        world.start()
        z = waits("z", key="42", schema={"type": "integer"})
        await waits_again(world, waits("a", key="42"), z)
        await send(world, "text", payload="text")
        await world.until(lambda: world.node("a").get("phase") == "Succeeded", "z cannot take it")
        await world.patch_run({"rerun": {"round": 3, "from": ["a"]}})
        await world.until(lambda: world.node("a").get("phase") == "Waiting", "a waits again")
        await send(world, "number", payload=1)
        await world.until(lambda: world.node("z").get("phase") == "Succeeded", "z has it")
        assert world.node("z")["output"]["id"] == "number"
        assert world.node("a")["phase"] == "Waiting"


@virtual
async def test_two_nodes_and_two_events_in_one_pass() -> None:
    """S643, S647: what the longer wait does not take is left for the other one, in time."""
    async with World() as world:
        first = world.start()
        await waits_again(world, waits("a", key="42", timeout="60s"), waits("z", key="42"))
        first.die()
        for id_ in ("older", "newer"):
            await send(world, id_)
            await asyncio.sleep(2)
        await asyncio.sleep(120)  # the timeout of `a` passes while no operator works
        world.start()
        await world.finished()
        assert world.node("z")["output"]["id"] == "older"
        assert world.node("a")["output"]["id"] == "newer"


@virtual
async def test_many_events_are_all_taken_once() -> None:
    """S643: one for each node, half of them before the wait."""
    async with World(latency=(0.0, 0.0)) as world:
        world.start()
        one = spec(*(waits(f"n{n}", key=f"k{n}") for n in range(20)))
        for n in range(10):
            await send(world, f"early-{n}", key=f"k{n}")
        await world.submit(one)
        await waiting(world, path="n19")
        for n in range(10, 20):
            await send(world, f"late-{n}", key=f"k{n}")
        await world.finished()
        await world.until(lambda: set(phases(world).values()) == {"Consumed"}, "all are consumed")


@virtual
async def test_first_of_several_names() -> None:
    """S644"""
    async with World() as world:
        world.start()
        await world.submit(spec(waits("paid", "paid", "failed", key="42")))
        await waiting(world)
        await send(world, "other", name="refunded")
        await send(world, "no-key", key="43")
        await world.quiet(30)
        assert world.node("paid")["phase"] == "Waiting"
        await send(world, "bad", name="failed")
        await world.finished()
        assert world.node("paid")["output"]["name"] == "failed"
        assert phases(world)["other"] == "Pending"
        assert phases(world)["no-key"] == "Pending"


@pytest.mark.parametrize("names", [("paid", "failed"), ("failed", "paid")], ids="-".join)
@virtual
async def test_of_several_names_the_oldest_event_wins(names: tuple[str, str]) -> None:
    """S644: the others stay Pending, for a later node."""
    async with World() as world:
        world.start()
        for id_, name in (("z-oldest", "failed"), ("b", "paid"), ("a", "failed")):
            await send(world, id_, name=name)
            await asyncio.sleep(2)
        await world.submit(spec(waits("one", *names, key="42")))
        await world.finished()
        assert world.node("one")["output"]["id"] == "z-oldest"
        await world.until(lambda: phases(world)["z-oldest"] == "Consumed", "it is consumed")
        assert phases(world) == {"z-oldest": "Consumed", "b": "Pending", "a": "Pending"}
        await world.submit(spec(waits("two", *names, key="42")), name="later")
        await world.finished("later")
        assert world.node("two", "later")["output"]["id"] == "b"


@virtual
async def test_a_key_that_a_node_gives_and_an_event_that_came_before() -> None:
    """S641: the key is evaluated when the node may start."""
    async with World(script={"make": [gives({"key": "in_42"}, seconds=30.0)]}) as world:
        world.start()
        await send(world, "early", key="in_42")
        await send(world, "other", key="in_43")
        await world.submit(spec(python("make"), waits("paid", key="${nodes.make.output.key}")))
        await world.finished()
        assert world.node("paid")["output"]["id"] == "early"
        assert phases(world)["other"] == "Pending"


@virtual
async def test_a_claimed_event_that_a_person_deletes() -> None:
    """S652: the run does not have it yet, so the node waits for another."""
    async with World() as world:
        operator = world.start()
        await world.submit(SPEC)
        await waiting(world)
        _dies_after_its_claim(operator)
        await send(world, "pay-1")
        await world.until(lambda: phases(world)["pay-1"] == "Claimed", "it is claimed")
        await world.delete(EVENT, "pay-1")
        world.start()
        await world.quiet(30)
        assert world.node("paid")["phase"] == "Waiting"
        await send(world, "pay-2")
        await world.finished()
        assert got(world)["id"] == "pay-2"


@virtual
async def test_an_event_for_one_run() -> None:
    """S645"""
    async with World() as world:
        world.start()
        await send(world, "with-key", key="brief")
        await send(world, "other-run", workflow="another")
        await world.submit(spec(waits("go")))
        await waiting(world, path="go")
        await world.quiet(30)
        assert world.node("go")["phase"] == "Waiting"
        await send(world, "go-1", workflow="brief")
        await world.finished()
        assert world.node("go")["output"]["id"] == "go-1"


@virtual
async def test_an_event_for_a_run_that_has_ended_expires() -> None:
    """S646"""
    async with World() as world:
        world.start()
        await world.submit(spec(waits("go")))
        await send(world, "go-1", workflow="brief")
        await world.finished()
        await send(world, "go-2", workflow="brief")
        await send(world, "for-any", key="42")
        await world.until(lambda: phases(world)["go-2"] == "Expired", "it expires")
        late = next(one for one in world.all(EVENT) if one["metadata"]["name"] == "go-2")
        assert late["status"]["message"] == "run brief has ended"
        assert phases(world)["for-any"] == "Pending", "others may take it"
        assert [run["metadata"]["name"] for run in world.all(Kind.AGENT_WORKFLOW)] == ["brief"]
        await send(world, "before", workflow="next")
        await world.submit(spec(python("a")), name="next")
        await world.finished("next")
        await world.until(lambda: phases(world)["before"] == "Expired", "it expires too")


@pytest.mark.parametrize(
    ("on_timeout", "phase", "output"),
    [("Fail", "Failed", None), ("Continue", "Succeeded", {"expired": True})],
)
@virtual
async def test_no_event_in_time(on_timeout: str, phase: str, output: Any) -> None:
    """S647"""
    async with World() as world:
        world.start()
        await world.submit(spec(waits("paid", key="42", timeout="60s", onTimeout=on_timeout)))
        await world.finished()
        node = world.node("paid")
        assert node["phase"] == phase
        assert node.get("output") == output
        assert node.get("reason") == ("EventTimeout" if phase == "Failed" else None)


@pytest.mark.parametrize("offset", [-3.0, -1.0, -0.1, 0.0, 0.1, 1.5, 5.0])
@pytest.mark.parametrize("delivery", [Delivery(), DELAYED, STALE], ids=str)
@virtual
async def test_an_event_around_the_timeout(offset: float, delivery: Delivery) -> None:
    """S647: an event that is older than the timeout wins, whatever the watch delivers."""
    async with World() as world:
        world.start(delivery=delivery)
        await world.submit(spec(waits("paid", key="42", timeout="60s")))
        await waiting(world)
        until = parse_timestamp(world.node("paid")["wakeAt"])
        assert until is not None
        await asyncio.sleep((until - world.clock.now()).total_seconds() + offset)
        sent = await send(world, "pay-1")
        await world.finished()
        node = world.node("paid")
        if offset < 0:
            assert node["phase"] == "Succeeded", sent["metadata"]["creationTimestamp"]
        if offset >= 1.5:
            assert node["phase"] == "Failed"
            assert phases(world)["pay-1"] == "Pending"


@virtual
async def test_no_timeout_while_events_cannot_be_listed() -> None:
    """S647: absence is never concluded from a list that failed."""
    async with World() as world:
        operator = world.start()

        async def refuse(call: Call, proceed: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "list" and call.kind is EVENT:
                raise Rejected("events may not be listed", code=403)
            return await proceed()

        await world.submit(spec(waits("paid", key="42", timeout="60s")))
        await waiting(world)
        operator.line.intercept = refuse
        await asyncio.sleep(120)
        assert world.node("paid")["phase"] == "Waiting"
        assert world.node("paid")["reason"] == "ReadRejected"
        await send(world, "pay-1")
        operator.line.intercept = None
        await world.finished()
        assert world.node("paid")["phase"] == "Failed", "it came after the timeout"


@virtual
async def test_a_payload_that_does_not_match() -> None:
    """S648"""
    shape = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    async with World() as world:
        world.start()
        await world.submit(
            spec(waits("own", schema=shape), waits("any", key="42", schema=shape)), name="typed"
        )
        await waiting(world, "typed", "any")
        await send(world, "bad-own", workflow="typed", payload={"n": "x"})
        await send(world, "bad-key", payload={"n": "x"})
        await world.until(lambda: phases(world)["bad-own"] == "Refused", "it is refused")
        refused = next(e for e in world.all(EVENT) if e["metadata"]["name"] == "bad-own")
        assert "payload.n: expected integer" in refused["status"]["message"]
        await world.until(
            lambda: world.node("any", "typed").get("reason") == "EventMismatch", "it is noted"
        )
        assert phases(world)["bad-key"] == "Pending", "another node may take it"
        await send(world, "good-own", workflow="typed", payload={"n": 1})
        await send(world, "good-key", payload={"n": 2})
        await world.finished("typed")
        assert world.node("own", "typed")["output"]["payload"] == {"n": 1}
        assert world.node("any", "typed")["output"]["payload"] == {"n": 2}
        assert "reason" not in world.node("any", "typed")


@virtual
async def test_a_payload_that_is_too_large_is_refused() -> None:
    """S649"""
    async with World() as world:
        world.start()
        await world.submit(SPEC)
        await send(world, "big", payload="x" * 17_000)
        await world.until(lambda: phases(world)["big"] == "Refused", "it is refused")
        await send(world, "fits", payload="x" * 16_000)
        await world.finished()
        assert world.node("paid")["outputRecord"], "larger than fits the status"


@virtual
async def test_an_event_expires_and_is_deleted() -> None:
    """S650"""
    async with World() as world:
        world.start()
        soon = timestamp(world.clock.now() + timedelta(hours=1))
        await send(world, "short", expiresAt=soon)
        await send(world, "long", expiresAt="2099-01-01T00:00:00Z")
        await asyncio.sleep(3610)
        assert phases(world) == {"short": "Expired", "long": "Pending"}
        world.clock.jump(86_400)
        await asyncio.sleep(400)  # all are looked at after the next list
        assert phases(world) == {"long": "Pending"}
        world.clock.jump(6 * 86_400)
        await asyncio.sleep(400)
        assert phases(world) == {"long": "Expired"}, "seven days at most"
        await world.submit(SPEC)
        await waiting(world)
        await world.quiet(10)
        assert world.node("paid")["phase"] == "Waiting", "an expired event is not taken"


@pytest.mark.parametrize("when", ["before", "claimed"])
@virtual
async def test_a_run_that_is_cancelled_gives_its_event_back(when: str) -> None:
    """S651"""
    async with World() as world:
        operator = world.start()
        await world.submit(SPEC)
        await waiting(world)
        claimed = asyncio.Event()

        async def stop(call: Call, proceed: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "patch_status" and call.kind is EVENT:
                answer = await proceed()
                await world.patch_run({"cancel": True})
                claimed.set()
                return answer
            return await proceed()

        if when == "before":
            await world.patch_run({"cancel": True})
        else:
            operator.line.intercept = stop
        await send(world, "pay-1")
        if when == "claimed":
            await claimed.wait()
            operator.line.intercept = None
        await world.finished()
        assert world.node("paid")["phase"] == "Cancelled"
        await world.until(lambda: phases(world)["pay-1"] == "Pending", "it is given back")
        await world.submit(SPEC, name="second")
        await world.finished("second")


@virtual
async def test_a_round_waits_for_another_event() -> None:
    """S653: and what earlier rounds took stays taken."""
    async with World() as world:
        world.start()
        await world.submit(
            spec(waits("paid", key="42"), python("after", inputs={"x": "${nodes.paid.output.id}"}))
        )
        for number in range(1, KEPT_TAKEN + 3):
            await send(world, f"pay-{number}")
            await world.until(lambda: world.is_finished(), "the round ends")
            assert world.node("paid")["output"]["id"] == f"pay-{number}"
            await world.patch_run({"rerun": {"round": number + 1, "from": ["paid"]}})
            await waiting(world)
        assert world.node("paid")["event"]["wait"] == KEPT_TAKEN + 3
        await asyncio.sleep(10)
        assert set(phases(world).values()) == {"Consumed"}


@virtual
async def test_a_frozen_operator_claims_late() -> None:
    """S651: the claim of a wait that is over goes back."""
    async with World() as world:
        first = world.start(replica=True)
        await world.submit(SPEC)
        await waiting(world)
        held = asyncio.Event()

        async def hold(call: Call, proceed: Callable[[], Awaitable[Any]]) -> Any:
            if call.verb == "patch_status" and call.kind is EVENT:
                held.set()
                await asyncio.sleep(120)
            return await proceed()

        first.line.intercept = hold
        await send(world, "pay-1")
        await held.wait()
        first.freeze()
        world.start(replica=True)
        await send(world, "pay-2")
        await world.finished()
        first.thaw()
        await asyncio.sleep(300)
        taken = [id_ for id_, phase in phases(world).items() if phase == "Consumed"]
        assert taken == [got(world)["id"]]
        assert sorted(phases(world).values()) == ["Consumed", "Pending"]


@virtual
async def test_an_event_that_cannot_be_written_holds_the_node() -> None:
    """S654"""
    async with World() as world:
        world.start()
        refused = RefusedForNow("not now", code=403)
        world.cluster.server.refusals["patch_status", EVENT] = lambda: refused
        await world.submit(SPEC)
        await send(world, "pay-1")
        await world.until(
            lambda: world.node("paid").get("reason") == "RecordRejected", "it says why"
        )
        world.cluster.server.refusals.clear()
        await world.finished()
        assert got(world)["id"] == "pay-1"


@virtual
async def test_what_the_run_says_it_waits_for() -> None:
    """S655"""
    async with World() as world:
        world.start()
        await world.submit(spec(waits("paid", "paid", "failed", key="42")))
        await waiting(world)
        assert world.status()["phase"] == "Waiting"
        assert world.status()["waiting"] == "event paid or failed with key 42"


@pytest.mark.parametrize("key", ["", "x" * 257, "a\nb"])
@virtual
async def test_a_key_that_cannot_be_used_fails_the_node(key: str) -> None:
    """S641"""
    async with World(script={"make": [gives({"key": key})]}) as world:
        world.start()
        await world.submit(spec(python("make"), waits("paid", key="${nodes.make.output.key}")))
        await world.finished()
        assert world.node("paid")["phase"] == "Failed"
        assert "1 to 256 printable" in world.node("paid")["message"]


@virtual
async def test_keys_with_characters_that_selectors_escape() -> None:
    """S641"""
    async with World() as world:
        world.start()
        await send(world, "odd", key="a,b=c\\d e")
        await world.submit(spec(waits("paid", key="a,b=c\\d e")))
        await world.finished()
        assert world.node("paid")["output"]["id"] == "odd"


@virtual
async def test_an_event_cannot_be_changed_and_has_one_addressee() -> None:
    """S642"""
    async with World() as world:
        await send(world, "pay-1")
        with pytest.raises(Rejected, match="cannot be changed"):
            await world.patch(EVENT, "pay-1", {"key": "43"})
        with pytest.raises(Rejected, match="key, workflow and start are set"):
            await send(world, "pay-2", key="1", workflow="x")
        body = event("pay-3")
        del body["spec"]["key"]
        with pytest.raises(Rejected, match="none of key, workflow and start"):
            await world.user.create(EVENT, namespace=NAMESPACE, body=body)
        assert world.all(Kind.AGENT_WORKFLOW) == []


@virtual
async def test_a_candidate_that_was_not_chosen_takes_no_event() -> None:
    """S651: the race is over before its event comes."""
    async with World() as world:
        world.start()
        limit = {"name": "limit", "wait": {"duration": "30s"}}
        choice = {"name": "best", "first": {"of": ["paid", "limit"]}}
        await world.submit(spec(waits("paid", key="42"), limit, choice))
        await world.finished()
        assert world.node("paid")["reason"] == "NotChosen"
        await send(world, "pay-1")
        await world.submit(SPEC, name="second")
        await world.finished("second")
        assert got(world, "second")["id"] == "pay-1"


@virtual
async def test_an_event_node_wins_a_race() -> None:
    """S643"""
    async with World() as world:
        world.start()
        limit = {"name": "limit", "wait": {"duration": "1h"}}
        choice = {"name": "best", "first": {"of": ["paid", "limit"]}}
        await world.submit(spec(waits("paid", key="42"), limit, choice))
        await waiting(world)
        await send(world, "pay-1")
        await world.finished()
        assert world.node("best")["first"]["chosen"] == "paid"


@virtual
async def test_a_longer_timeout_counts_for_a_node_that_waits() -> None:
    """S647"""
    async with World() as world:
        world.start()
        await world.submit(spec(waits("paid", key="42", timeout="60s")))
        await waiting(world)
        await asyncio.sleep(30)
        nodes = [waits("paid", key="42", timeout="300s")]
        await world.patch_run({"nodes": nodes, "rerun": {"round": 2}})
        await asyncio.sleep(100)
        assert world.node("paid")["phase"] == "Waiting"
        await asyncio.sleep(200)
        assert world.node("paid")["reason"] == "EventTimeout"


def _dies_after_its_claim(operator: Operator) -> None:
    async def die(call: Call, proceed: Callable[[], Awaitable[Any]]) -> Any:
        answer = await proceed()
        if call.verb == "patch_status" and call.kind is EVENT:
            operator.die()
        return answer

    operator.line.intercept = die


@virtual
async def test_a_run_that_is_gone_keeps_the_event_that_it_claimed() -> None:
    """S652: at most one node gets an event, so it goes to nobody else."""
    async with World() as world:
        operator = world.start()
        await world.submit(SPEC)
        await waiting(world)
        _dies_after_its_claim(operator)
        await send(world, "pay-1")
        await world.until(lambda: phases(world)["pay-1"] == "Claimed", "it is claimed")
        await world.delete(Kind.AGENT_WORKFLOW, "brief")
        world.start()
        await world.until(lambda: phases(world)["pay-1"] == "Consumed", "it counts as consumed")


@virtual
async def test_what_was_taken_is_consumed_without_a_resync() -> None:
    """S643: the watch wakes the loop that looks what became of a claim."""
    async with World() as world:
        # The answer to a write comes before the watch tells of it, as from a real API server.
        world.start(delivery=Delivery(delay=(0.05, 0.05)), resync_seconds=100_000.0)
        await world.submit(SPEC)
        await waiting(world)
        await send(world, "pay-1")
        await world.until(lambda: phases(world)["pay-1"] == "Consumed", "soon", within=10)


@virtual
async def test_a_claim_survives_the_operator() -> None:
    """S643: the next operator takes what the wait has claimed, and nothing else."""
    async with World() as world:
        operator = world.start()
        await world.submit(SPEC)
        await waiting(world)
        _dies_after_its_claim(operator)
        await send(world, "pay-1")
        await world.until(lambda: phases(world)["pay-1"] == "Claimed", "it is claimed")
        await send(world, "an-older-name-but-later")
        world.start()
        await world.finished()
        assert got(world)["id"] == "pay-1"


@virtual
async def test_a_cluster_that_cannot_filter_lists() -> None:
    """S643: Kubernetes 1.30 refuses the selector, so the namespace is listed."""
    known = {kind: fields for kind, fields in selectors._FIELDS.items() if kind is not EVENT}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selectors, "_FIELDS", known)
        async with World() as world:
            world.start()
            await send(world, "other", key="43")
            await world.submit(SPEC)
            await send(world, "pay-1")
            await world.finished()
            assert got(world)["id"] == "pay-1"
