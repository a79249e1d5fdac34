"""The budget of a run holds over the tree: shares for child runs, and usage that comes up (S351 to
S353)."""

from typing import Any

from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Obj
from waypost.protocol.record import Attempt, CommitRecord, encode
from waypost.protocol.work import Usage

from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.builders import agent, python, spec
from tests.support.children import calls_local, child, children
from tests.support.harness import World, fails
from tests.support.virtual import virtual
from tests.unit.runtime.cache.test_endpoint_cache import MAIN
from tests.unit.runtime.test_probe_controller import make


def spends(tokens: int, *, seconds: float = 1.0, fails: bool = False) -> Any:
    """A program of an agent that uses tokens, and no more than it may."""

    def program(pod: PodView) -> Outcome:
        share = pod.request["agent"].get("allotment", {}).get("tokens")
        used = tokens if share is None else min(tokens, int(share))
        me = Attempt(pod.run_uid, pod.path, pod.round, pod.attempt, pod.uid)
        usage = Usage(model_calls=1, input_tokens=used)
        if fails:
            record = CommitRecord(me, "Failed", None, "NodeError", "no", None, usage=usage)
            return Outcome(exit_code=1, message=encode(record).decode(), seconds=seconds)
        done = CommitRecord(me, "Succeeded", "done", usage=usage)
        return Outcome(message=encode(done).decode(), seconds=seconds)

    return program


def local(name: str, *nodes: Obj, **fields: Any) -> Obj:
    """A local template."""
    return {"name": name, "nodes": list(nodes), **fields}


def lent(run: Obj) -> Any:
    """The tokens that the parent of a run has lent it."""
    return section(run, "spec", "parent", "budget").get("tokens")


def tokens(world: World, name: str = "brief") -> int:
    """The tokens that a run has used."""
    return int(section(world.status(name), "usage").get("totalTokens", 0))


async def started(world: World, body: Obj) -> None:
    """Begin a run, with a provider for its agents."""
    world.start()
    await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
    await world.submit(body)


THINK = local("think", agent("a"))


@virtual
async def test_s351_child_runs_that_start_together_share_the_budget() -> None:
    both = [calls_local("one", "think"), calls_local("two", "think")]
    async with World(script={"a": [spends(80)]}) as world:
        await started(world, spec(*both, templates=[THINK], budget={"tokens": 100}))
        assert (await world.finished())["phase"] == "Succeeded"
        assert [lent(run) for run in children(world)] == [50, 50]
        assert tokens(world) == 100


@virtual
async def test_s351_what_a_child_run_does_not_use_comes_back() -> None:
    two = calls_local("two", "think", dependsOn=["one"])
    body = spec(calls_local("one", "think"), two, agent("b", dependsOn=["two"]), templates=[THINK])
    async with World(script={"a": [spends(30)], "b": [spends(90)]}) as world:
        await started(world, {**body, "budget": {"tokens": 100}})
        assert (await world.finished())["phase"] == "Succeeded"
        assert [lent(run) for run in children(world)] == [100, 70]
        (share,) = [a["allotment"]["tokens"] for a in world.node("b")["attempts"]]
        assert (share, tokens(world)) == (40, 100)


@virtual
async def test_s351_an_agent_waits_while_a_child_run_holds_the_budget() -> None:
    body = spec(
        python("slow"),
        calls_local("one", "think"),
        agent("b", dependsOn=["slow"]),
        templates=[THINK],
        budget={"tokens": 100},
    )
    script: Any = {"a": [spends(10, seconds=60)], "b": [spends(90)]}
    async with World(script=script) as world:
        await started(world, body)
        await world.until(lambda: bool(world.node("b").get("reason")), "b waits")
        assert world.node("b")["reason"] == "BudgetExceeded"
        assert world.node("b")["phase"] == "Pending"
        assert (await world.finished())["phase"] == "Succeeded"
        assert tokens(world) == 100


@virtual
async def test_s351_a_budget_that_is_used_up_starts_no_child_run() -> None:
    two = calls_local("two", "think", dependsOn=["one"])
    async with World(script={"a": [spends(500)]}) as world:
        body = spec(calls_local("one", "think"), two, templates=[THINK], budget={"tokens": 100})
        await started(world, body)
        assert (await world.finished())["phase"] == "Failed"
        assert world.node("two")["reason"] == "BudgetExceeded"
        assert world.node("two")["message"] == "spec.budget.tokens is 100, 100 are used"
        assert len(children(world)) == 1


@virtual
async def test_s352_a_child_run_stops_at_what_is_lent() -> None:
    chain = local("chain", agent("a"), agent("c", dependsOn=["a"]))
    async with World(script={"a": [spends(500)], "c": [spends(500)]}) as world:
        body = spec(calls_local("one", "chain"), templates=[chain], budget={"tokens": 100})
        await started(world, body)
        await world.finished()
        name = child(world)["metadata"]["name"]
        found = world.node("c", name)
        assert found["reason"] == "BudgetExceeded"
        assert found["message"] == "the parent run lends 100 of budget.tokens, 100 are used"
        assert tokens(world) == 100


@virtual
async def test_s352_three_levels() -> None:
    """Each level lends on what it may use."""
    middle = local("middle", calls_local("in_a", "think"), calls_local("in_b", "think"))
    async with World(script={"a": [spends(500)]}) as world:
        body = spec(calls_local("one", "middle"), templates=[middle, THINK])
        await started(world, {**body, "budget": {"tokens": 100, "costUSD": "2"}})
        await world.finished()
        (between,) = children(world)
        below = children(world, between["metadata"]["name"])
        assert [run["spec"]["parent"]["budget"] for run in below] == [
            {"tokens": 50, "costUSD": "1"},
            {"tokens": 50, "costUSD": "1"},
        ]
        assert tokens(world) == 100


@virtual
async def test_s353_a_round_lends_what_is_left() -> None:
    """The budget of a child run counts what it used in earlier rounds."""
    two = local("two", agent("a"), agent("c", dependsOn=["a"]))
    script: Any = {"a": [spends(40)], "c": [spends(20, fails=True), spends(500)]}
    async with World(script=script) as world:
        body = spec(calls_local("one", "two"), templates=[two], budget={"tokens": 100})
        await started(world, body)
        assert (await world.finished())["phase"] == "Failed"
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2, "the round begins")
        assert (await world.finished())["phase"] == "Succeeded"
        assert len(children(world)) == 1
        assert lent(child(world)) == 100
        assert tokens(world) == 100


@virtual
async def test_s353_another_child_run_gets_what_is_left() -> None:
    script: Any = {"a": [spends(30)]}
    async with World(script=script) as world:
        body = spec(calls_local("one", "think"), templates=[THINK], budget={"tokens": 100})
        await started(world, body)
        await world.finished()
        await world.patch_run({"rerun": {"round": 2, "from": ["one"]}})
        await world.until(lambda: world.status().get("round") == 2, "the round begins")
        assert (await world.finished())["phase"] == "Succeeded"
        assert sorted(lent(run) for run in children(world)) == [70, 100]
        assert tokens(world) == 60


@virtual
async def test_s353_a_round_without_a_budget_lifts_it() -> None:
    two = local("two", agent("a"), agent("c", dependsOn=["a"]))
    script: Any = {"a": [spends(100)], "c": [spends(50)]}
    async with World(script=script) as world:
        body = spec(calls_local("one", "two"), templates=[two], budget={"tokens": 100})
        await started(world, body)
        assert (await world.finished())["phase"] == "Failed"
        await world.patch_run({"rerun": {"round": 2}, "budget": None})
        await world.until(lambda: world.status().get("round") == 2, "the round begins")
        assert (await world.finished())["phase"] == "Succeeded"
        assert lent(child(world)) is None
        assert tokens(world) == 150


@virtual
async def test_without_a_budget_nothing_is_lent() -> None:
    async with World(script={"a": [fails()]}) as world:
        await started(world, spec(calls_local("one", "think"), templates=[THINK]))
        await world.finished()
        assert lent(child(world)) is None
        assert "budget" not in world.node("one")["child"]
