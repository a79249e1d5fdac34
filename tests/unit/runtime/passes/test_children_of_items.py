"""Maps whose items are child runs (S410 to S417)."""

from functools import partial
from typing import Any, Final

import pytest
from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Obj

from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.builders import agent, gate, python, spec
from tests.support.children import CHILD, calls, calls_local, ran
from tests.support.children import children as by_change
from tests.support.harness import RUN, World
from tests.support.templates import create_template
from tests.support.virtual import virtual
from tests.unit.runtime.passes.test_child_budgets import lent, local, spends, started, tokens

LIST: Final = "${inputs.list}"
NUMBER: Final[Obj] = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer"}},
}
# Two nodes, so that a child run that continues shows what it keeps.
PAIR: Final = spec(
    python("first", inputs={"n": "${inputs.n}"}),
    python("then", inputs={"n": "${inputs.n}"}, dependsOn=["first"]),
    inputSchema=NUMBER,
    outputs={"double": "${nodes.then.output}"},
)


def over(values: list[Any], node: Obj | None = None, **fields: Any) -> Obj:
    """A run whose node `scan` runs a template for each value."""
    for_each = {"items": LIST, **fields.pop("forEach", {})}
    call = node or calls("scan", inputs={"n": "${item}"})
    return spec(
        {**call, "forEach": for_each},
        outputs={"got": "${nodes.scan.output}"},
        inputs={"list": values},
        **fields,
    )


class Programs:
    """The programs of PAIR: `then` doubles, and fails for some inputs."""

    def __init__(self, world: World, *bad: int, seconds: float = 1.0) -> None:
        self.bad, self.seconds, self.hung = {*bad}, seconds, set[int]()
        world.script |= {name: [self.run] * 400 for name in ("first", "then")}

    def run(self, pod: PodView) -> Outcome:
        n = pod.inputs["n"]
        if pod.path == "then" and n in self.bad:
            return pod.fails(f"no {n}")
        if pod.path == "then" and n in self.hung:
            return pod.hangs()
        return pod.succeeds(2 * n, seconds=self.seconds)


async def begin(world: World, body: Obj, template: Obj = PAIR) -> Obj:
    """Create the template and the run."""
    world.start()
    await create_template(world, template)
    return await world.submit(body)


def children(world: World) -> list[Obj]:
    """The child runs, by the item that has started them, the oldest first."""
    runs = by_change(world)
    return sorted(runs, key=lambda run: (path_of(run), run["metadata"]["creationTimestamp"]))


def path_of(run: Obj) -> str:
    """The path of the item that has started a child run."""
    return str(run["spec"]["parent"]["path"])


def items(world: World) -> Obj:
    """What the status says of the items of `scan`."""
    found: Obj = world.node("scan")["items"]
    return found


def is_gone(world: World, kind: Kind) -> bool:
    """Whether nothing of a kind exists."""
    return not world.all(kind)


def asked(world: World) -> str:
    """The message of AwaitingApproval."""
    return str(world.condition("AwaitingApproval").get("message", ""))


def open_child_runs(world: World) -> int:
    """How many child runs have not ended."""
    return sum(not section(run, "status").get("finishedAt") for run in children(world))


@virtual
async def test_s410_each_item_is_a_child_run() -> None:
    async with World() as world:
        Programs(world)
        await begin(world, over([5, 6, 7]))
        status = await world.finished()
        assert status["phase"] == "Succeeded", world.tell()
        assert status["outputs"] == {"got": [{"double": 10}, {"double": 12}, {"double": 14}]}
        made = children(world)
        assert [path_of(run) for run in made] == ["scan/0", "scan/1", "scan/2"]
        assert [run["spec"]["inputs"] for run in made] == [{"n": 5}, {"n": 6}, {"n": 7}]
        await world.quiet(5)
        assert not any(CHILD in run["metadata"].get("finalizers", []) for run in children(world))
        assert not any("cancel" in run["spec"]["parent"] for run in children(world))


@virtual
async def test_s410_at_most_max_parallel_run_and_parallelism_does_not_count() -> None:
    async with World() as world:
        Programs(world)
        await begin(world, over(list(range(7)), forEach={"maxParallel": 3}, parallelism=1))
        most = 0
        while not world.is_finished():
            await world.quiet(0.5)
            most = max(most, open_child_runs(world))
        assert most == 3
        assert len(children(world)) == 7


@virtual
async def test_s411_a_round_continues_the_child_runs_of_failed_items() -> None:
    async with World() as world:
        programs = Programs(world, 6)
        await begin(world, over([5, 6, 7], forEach={"tolerate": 0}))
        status = await world.finished()
        assert (status["phase"], world.node("scan")["reason"]) == ("Failed", "ItemsFailed")
        assert "item 2 of 3 (scan/1): ChildFailed" in world.node("scan")["message"]
        programs.bad = set()
        before = [run["metadata"]["uid"] for run in children(world)]
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2, "round 2")
        status = await world.finished()
        assert status["outputs"] == {"got": [{"double": 10}, {"double": 12}, {"double": 14}]}
        assert [run["metadata"]["uid"] for run in children(world)] == before
        assert sorted(ran(world)) == ["first"] * 3 + ["then"] * 4
        assert sorted(run["status"]["round"] for run in children(world)) == [1, 1, 2]


@virtual
async def test_s411_an_item_that_moved_keeps_its_child_run() -> None:
    async with World() as world:
        programs = Programs(world, 6)
        await begin(world, over([5, 6]))
        await world.finished()
        programs.bad = set()
        await world.patch_run({"inputs": {"list": [9, 8, 6, 5]}, "rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2, "round 2")
        status = await world.finished()
        assert [one["double"] for one in status["outputs"]["got"]] == [18, 16, 12, 10]
        assert len(children(world)) == 4, "two of the first list, two of the second"
        assert sorted(ran(world)) == ["first"] * 4 + ["then"] * 5


@virtual
async def test_s411_an_item_that_did_not_start_in_a_round_keeps_its_child_run() -> None:
    """A failure of another item ends the map before it starts again."""
    async with World() as world:
        programs = Programs(world, 5, 6)
        await begin(world, over([5, 6], forEach={"maxParallel": 1}))
        await world.finished()
        assert sorted(ran(world)) == ["first", "then"]
        await world.patch_run({"inputs": {"list": [6, 5]}, "rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2, "round 2")
        await world.finished()
        assert sorted(ran(world)) == ["first"] * 2 + ["then"] * 2
        programs.bad = set()
        await world.patch_run({"rerun": {"round": 3}})
        await world.until(lambda: world.status().get("round") == 3, "round 3")
        status = await world.finished()
        assert [one["double"] for one in status["outputs"]["got"]] == [12, 10]
        assert len(children(world)) == 2
        assert sorted(ran(world)) == ["first"] * 2 + ["then"] * 4


@virtual
async def test_s411_an_item_that_is_named_gets_another_child_run() -> None:
    async with World() as world:
        Programs(world)
        await begin(world, over([5, 6]))
        await world.finished()
        await world.patch_run({"rerun": {"round": 2, "from": ["scan/1"]}})
        await world.until(lambda: world.status().get("round") == 2, "round 2")
        status = await world.finished()
        assert status["outputs"] == {"got": [{"double": 10}, {"double": 12}]}
        assert [path_of(run) for run in children(world)] == [
            "scan/0",
            "scan/1",
            "scan/1",
        ]
        assert sorted(ran(world)) == ["first"] * 3 + ["then"] * 3


@virtual
async def test_s411_a_changed_local_template_continues_all_child_runs() -> None:
    """S344: only what has changed runs again."""
    body: Obj = {"name": "pair", **{key: PAIR[key] for key in ("nodes", "inputSchema", "outputs")}}
    run = over([5, 6, 7], calls_local("scan", "pair", inputs={"n": "${item}"}))
    async with World() as world:
        programs = Programs(world, 6)
        world.start()
        await world.submit({**run, "templates": [body]})
        await world.finished()
        before = [run["metadata"]["uid"] for run in children(world)]
        programs.bad = set()
        first, then = body["nodes"]
        then = {**then, "python": {"source": "def run(n):\n    return 2 * n\n"}}
        changed = [{**body, "nodes": [first, then]}]
        await world.patch_run(
            {"inputs": {"list": [7, 6, 5]}, "templates": changed, "rerun": {"round": 2}}
        )
        await world.until(lambda: world.status().get("round") == 2, "round 2")
        status = await world.finished()
        assert [one["double"] for one in status["outputs"]["got"]] == [14, 12, 10]
        assert [run["metadata"]["uid"] for run in children(world)] == before
        assert sorted(ran(world)) == ["first"] * 3 + ["then"] * 6


@virtual
async def test_s412_other_inputs_of_a_child_run_fail_its_item_alone() -> None:
    async with World() as world:
        programs = Programs(world)
        programs.hung = {6}
        await begin(world, over([5, 6, 7], forEach={"tolerate": 1}))
        await world.until(lambda: ran(world).count("then") == 3, "all run")
        name = children(world)[1]["metadata"]["name"]
        await world.patch_run({"inputs": {"n": 8}, "rerun": {"round": 2}}, name=name)
        status = await world.finished()
        assert status["outputs"] == {"got": [{"double": 10}, None, {"double": 14}]}
        assert items(world)["failures"][0]["reason"] == "ChildChanged"


@virtual
async def test_s411_a_cancelled_child_run_is_followed_by_another_one() -> None:
    async with World() as world:
        programs = Programs(world)
        programs.hung = {6}
        await begin(world, over([5, 6]))
        await world.until(lambda: ran(world).count("then") == 2, "both run")
        name = children(world)[1]["metadata"]["name"]
        await world.patch_run({"cancel": True}, name=name)
        await world.finished()
        assert "ChildCancelled" in world.node("scan")["message"]
        programs.hung = set()
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2, "round 2")
        status = await world.finished()
        assert status["outputs"] == {"got": [{"double": 10}, {"double": 12}]}
        assert len(children(world)) == 3


@virtual
async def test_s412_a_child_run_that_is_deleted_fails_its_item_alone() -> None:
    async with World() as world:
        programs = Programs(world)
        programs.hung = {6}
        await begin(world, over([5, 6, 7], forEach={"tolerate": 1}))
        await world.until(lambda: ran(world).count("then") == 3, "all run")
        await world.delete(Kind.AGENT_WORKFLOW, children(world)[1]["metadata"]["name"])
        status = await world.finished()
        assert status["outputs"] == {"got": [{"double": 10}, None, {"double": 14}]}
        assert items(world)["failures"][0]["reason"] == "ChildDeleted"


@pytest.mark.parametrize("deadline", [None, "30s"], ids=["cancel", "deadline of the map"])
@virtual
async def test_s206_a_cancel_and_a_deadline_stop_all_child_runs(deadline: str | None) -> None:
    async with World() as world:
        programs = Programs(world)
        programs.hung = {5, 6}
        limit = {"deadline": deadline} if deadline else {}
        call = calls("scan", inputs={"n": "${item}"}, **limit)
        await begin(world, over([5, 6, 7], call))
        await world.until(lambda: ran(world).count("then") >= 2, "two hang")
        if deadline is None:
            await world.patch_run({"cancel": True})
        status = await world.finished(within=120)
        assert status["phase"] == ("Failed" if deadline else "Cancelled")
        assert open_child_runs(world) == 0
        reason = "DeadlineExceeded" if deadline else "Cancelled"
        assert world.node("scan")["reason"] == reason


@virtual
async def test_s206_suspend_goes_down_to_each_child_run() -> None:
    async with World() as world:
        Programs(world, seconds=20.0)
        await begin(world, over([5, 6, 7], forEach={"maxParallel": 2}))
        await world.until(lambda: ran(world).count("first") == 2, "two run")
        await world.patch_run({"suspend": True})
        await world.quiet(120)
        assert sorted(ran(world)) == ["first", "first"], "nothing else starts"
        assert len(children(world)) == 2
        await world.patch_run({"suspend": False})
        assert (await world.finished())["phase"] == "Succeeded"


@virtual
async def test_s415_a_gate_of_an_item_is_seen_at_the_parent() -> None:
    asks = spec(gate("ok"), outputs={"yes": "${nodes.ok.output.decision}"})
    async with World() as world:
        await begin(world, over([1, 2], calls("scan")), asks)
        await world.until(lambda: "scan/1: " in asked(world), "both show")
        assert "scan/0: ok: kubectl" in asked(world)
        assert world.status()["waiting"].startswith("approval/brief-scan-0")
        for approval in world.all(Kind.APPROVAL):
            await world.patch(Kind.APPROVAL, approval["metadata"]["name"], {"decision": "Approved"})
        assert (await world.finished())["phase"] == "Succeeded"


@virtual
async def test_s413_the_bound_of_a_tree_counts_the_places_of_maps() -> None:
    async with World() as world:
        Programs(world)
        await begin(world, over([1, 2], forEach={"maxParallel": 100}))
        await world.finished()
        assert children(world)[0]["spec"]["parent"]["children"] == (1000 - 100) // 100


@virtual
async def test_s417_nothing_is_left_when_the_parent_is_deleted() -> None:
    async with World() as world:
        programs = Programs(world)
        programs.hung = {5}
        await begin(world, over([5, 6]))
        await world.until(lambda: ran(world).count("then") == 2, "both run")
        await world.delete(Kind.AGENT_WORKFLOW, RUN)
        for kind in (Kind.AGENT_WORKFLOW, Kind.JOB, Kind.POD, Kind.NODE_RECORD):
            await world.until(partial(is_gone, world, kind), f"no {kind} is left")


@virtual
async def test_s417_a_round_with_another_list_stops_child_runs_first() -> None:
    async with World() as world:
        programs = Programs(world)
        programs.hung = {5, 6}
        await begin(world, over([5, 6]))
        await world.until(lambda: ran(world).count("then") == 2, "both run")
        await world.patch_run({"inputs": {"list": [7, 5]}, "rerun": {"round": 2}})
        programs.hung = set()
        status = await world.finished()
        assert [one["double"] for one in status["outputs"]["got"]] == [14, 10]
        phases = sorted(run["status"]["phase"] for run in children(world))
        assert phases == ["Cancelled", "Cancelled", "Succeeded", "Succeeded"]


@pytest.mark.parametrize("seconds", [0.4, 1.1, 2.0, 3.3, 4.7, 6.0])
@virtual
async def test_s410_an_operator_killed_at_any_moment_runs_each_program_once(seconds: float) -> None:
    async with World() as world:
        Programs(world)
        await begin(world, over([5, 6, 7, 8], forEach={"maxParallel": 2}))
        await world.quiet(seconds)
        world.operators[0].die()
        await world.quiet(20)
        world.start()
        status = await world.finished()
        assert [one["double"] for one in status["outputs"]["got"]] == [10, 12, 14, 16]
        assert sorted(ran(world)) == ["first"] * 4 + ["then"] * 4
        assert len(children(world)) == 4


@virtual
async def test_s416_local_templates_are_typed_for_items() -> None:
    body = {"name": "pair", **{key: PAIR[key] for key in ("nodes", "inputSchema", "outputs")}}
    call = calls_local("scan", "pair", inputs={"n": "${item}"})
    async with World() as world:
        Programs(world)
        world.start()
        await world.submit({**over([1, 2], call), "templates": [body]})
        status = await world.finished()
        assert status["outputs"] == {"got": [{"double": 2}, {"double": 4}]}, world.tell()


def spending(list_: list[Any], budget: int | None, **for_each: Any) -> Obj:
    """A map over a local template with an agent, then another one."""
    inner = local("think", agent("a"), agent("c", dependsOn=["a"]))
    body = over(list_, calls_local("scan", "think"), forEach=for_each, templates=[inner])
    return body if budget is None else {**body, "budget": {"tokens": budget}}


@virtual
async def test_s414_the_usage_of_a_map_is_that_of_its_child_runs() -> None:
    script: Any = {"a": [spends(30)], "c": [spends(5)]}
    async with World(script=script) as world:
        await started(world, spending([1, 2, 3], None))
        await world.until(lambda: tokens(world) >= 30, "it grows while child runs run")
        assert not world.is_finished()
        assert (await world.finished())["phase"] == "Succeeded"
        assert tokens(world) == 105
        assert world.node("scan")["usage"]["modelCalls"] == 6


@virtual
async def test_s414_a_round_counts_what_it_adds() -> None:
    script: Any = {"a": [spends(30)], "c": [spends(5, fails=True), spends(5)]}
    async with World(script=script) as world:
        await started(world, spending([1], None))
        assert (await world.finished())["phase"] == "Failed"
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2, "the round begins")
        assert (await world.finished())["phase"] == "Succeeded"
        assert (len(children(world)), tokens(world)) == (1, 40)


@virtual
async def test_s414_what_a_deleted_child_run_used_stays() -> None:
    script: Any = {"a": [spends(30)], "c": [spends(5, seconds=300)]}
    async with World(script=script) as world:
        await started(world, spending([1], None))
        await world.until(lambda: tokens(world) == 30, "the first agent has ended")
        await world.delete(Kind.AGENT_WORKFLOW, children(world)[0]["metadata"]["name"])
        assert (await world.finished())["phase"] == "Failed"
        assert tokens(world) == 30


@virtual
async def test_s414_child_runs_that_run_at_the_same_time_share_the_budget() -> None:
    script: Any = {"a": [spends(500)], "c": [spends(500)]}
    async with World(script=script) as world:
        await started(world, spending([1, 2], 100, tolerate=2))
        await world.finished()
        assert [lent(run) for run in children(world)] == [50, 50]
        assert tokens(world) == 100


@virtual
async def test_s414_what_one_does_not_use_goes_to_the_next() -> None:
    script: Any = {"a": [spends(20)], "c": [spends(5)]}
    async with World(script=script) as world:
        await started(world, spending([1, 2], 100, maxParallel=1))
        assert (await world.finished())["phase"] == "Succeeded"
        assert [lent(run) for run in children(world)] == [100, 75]
        assert tokens(world) == 50


@virtual
async def test_s414_a_round_lends_what_is_left() -> None:
    script: Any = {"a": [spends(40)], "c": [spends(20, fails=True), spends(500)]}
    async with World(script=script) as world:
        await started(world, spending([1], 100))
        assert (await world.finished())["phase"] == "Failed"
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("round") == 2, "the round begins")
        assert (await world.finished())["phase"] == "Succeeded"
        assert [lent(run) for run in children(world)] == [100]
        assert tokens(world) == 100
