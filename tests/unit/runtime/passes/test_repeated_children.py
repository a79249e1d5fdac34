"""`repeat` on nodes that run a template: each iteration is a child run (S433 to S436)."""

from typing import Any

from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Obj

from tests.fakes.nodes.programs import Program
from tests.support.builders import python, spec
from tests.support.children import calls_local, children, ran
from tests.support.harness import RUN, Script, World, fails, gives, hangs
from tests.support.virtual import virtual

COUNT: Obj = {
    "type": "object",
    "required": ["n", "done"],
    "properties": {"n": {"type": "integer"}, "done": {"type": "boolean"}},
}


def template(**fields: Any) -> Obj:
    """A local template of two nodes: `try` gives n, and `judge` says whether that is enough."""
    return {
        "name": "improve",
        "inputSchema": {"type": "object", "properties": {"from": {"type": "integer"}}},
        "nodes": [
            python("try", inputs={"from": "${inputs.?from.orValue(0)}"}),
            python("judge", inputs={"n": "${nodes.try.output}"}),
        ],
        "outputs": {"n": "${nodes.try.output}", "done": "${nodes.judge.output}"},
        "outputSchema": COUNT,
        **fields,
    }


def parent(repeat: Obj | None = None, **fields: Any) -> Obj:
    node = calls_local(
        "refine",
        "improve",
        repeat={"until": "${self.output.done}", "max": 3, **(repeat or {})},
        inputs={"from": "${previous.?output.?n.orValue(0)}"},
        **fields,
    )
    return spec(node, outputs={"n": "${nodes.refine.output.n}"}, templates=[template()])


def until(n: int, **how: Any) -> Script:
    """Each iteration gives one more than the one before; `n` is enough."""
    first: Program = lambda pod: pod.succeeds(pod.inputs["from"] + 1)  # noqa: E731
    second: Program = lambda pod: pod.succeeds(pod.inputs["n"] >= n, **how)  # noqa: E731
    return {"try": [first], "judge": [second]}


def loop(world: World) -> tuple[int, str]:
    """The number of the iteration, and the finished ones."""
    found = world.node("refine")["loop"]
    return found["number"], found.get("done", "")


def inputs(world: World) -> list[Any]:
    return [run["spec"]["inputs"]["from"] for run in children(world)]


@virtual
async def test_s433_each_iteration_is_a_child_run_with_the_previous_output() -> None:
    script = until(3)
    async with World(script=script) as world:
        world.start()
        await world.submit(parent())
        status = await world.finished()
        assert (status["phase"], status["outputs"]) == ("Succeeded", {"n": 3})
        assert inputs(world) == [0, 1, 2]
        assert loop(world) == (2, "1 2 3")
        assert ran(world) == ["try", "judge"] * 3
        assert world.node("refine")["child"]["generation"] == 3


@virtual
async def test_s434_only_the_last_child_run_may_begin_a_round() -> None:
    """The others are cancelled when they have ended, and are let go."""
    script = until(2)
    async with World(script=script) as world:
        world.start()
        await world.submit(parent())
        await world.finished()
        await world.quiet(5)
        first, last = children(world)
        assert section(first, "spec", "parent").get("cancel") is True
        assert not section(last, "spec", "parent").get("cancel")
        assert not any(run["metadata"].get("finalizers") for run in (first, last))


@virtual
async def test_s433_no_child_run_exists_during_a_pause() -> None:
    script = until(2)
    async with World(script=script) as world:
        world.start()
        await world.submit(parent({"pause": "100s"}))
        await world.until(lambda: world.node("refine").get("phase") == "Backoff", "it pauses")
        began = world.clock.monotonic()
        await world.quiet(80)
        assert len(children(world)) == 1
        assert world.node("refine")["reason"] == "Repeating"
        await world.finished()
        assert world.clock.monotonic() - began >= 100
        assert len(children(world)) == 2


@virtual
async def test_s433_after_max_iterations_the_last_output_is_readable() -> None:
    script = {**until(9), "tell": [lambda pod: pod.succeeds(pod.inputs["last"])]}
    async with World(script=script) as world:
        world.start()
        run = parent({"max": 2}, onFailure="Continue")
        tell = python("tell", inputs={"last": "${nodes.refine.?error.?last.?n.orValue(-1)}"})
        run["nodes"].append(tell)
        run["outputs"] = {"last": "${nodes.tell.output}"}
        await world.submit(run)
        await world.finished()
        assert world.node("refine")["reason"] == "LoopLimit"
        assert world.status()["outputs"] == {"last": 2}


@virtual
async def test_s435_a_round_continues_the_child_run_of_the_iteration_that_failed() -> None:
    judge: Program = lambda pod: (  # noqa: E731
        fails(message="no")(pod) if pod.inputs["n"] == 2 else pod.succeeds(False)
    )
    script = {**until(2), "judge": [judge, gives(True)]}
    async with World(script=script) as world:
        world.start()
        await world.submit(parent())
        status = await world.finished()
        assert status["phase"] == "Failed"
        assert (world.node("refine")["reason"], loop(world)) == ("ChildFailed", (1, "1"))
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("phase") == "Succeeded", "round 2 succeeds")
        assert world.status()["outputs"] == {"n": 2}
        assert ran(world) == ["try", "judge", "try", "judge", "judge"], "its checkpoints stay"
        assert len(children(world)) == 2


@virtual
async def test_s435_a_round_after_the_limit_starts_the_next_iteration() -> None:
    script = until(3)
    async with World(script=script) as world:
        world.start()
        await world.submit(parent({"max": 2}))
        await world.finished()
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(lambda: world.status().get("phase") == "Succeeded", "round 2 succeeds")
        assert inputs(world) == [0, 1, 2]
        assert loop(world) == (2, "1 2 3/2")


@virtual
async def test_s435_from_begins_again() -> None:
    script = until(2)
    async with World(script=script) as world:
        world.start()
        await world.submit(parent())
        await world.finished()
        await world.patch_run({"rerun": {"round": 2, "from": ["refine"]}})
        await world.until(
            lambda: world.status().get("phase") == "Succeeded" and len(children(world)) == 4,
            "again",
        )
        assert inputs(world) == [0, 1, 0, 1]
        assert loop(world) == (1, "3/2 4/2")


@virtual
async def test_s436_cancel_during_an_iteration_and_during_a_pause() -> None:
    async with World(script={"try": [hangs()]}) as world:
        world.start()
        await world.submit(parent())
        await world.until(lambda: bool(ran(world)), "it runs")
        await world.patch_run({"cancel": True})
        status = await world.finished()
        assert status["phase"] == "Cancelled"
        assert section(children(world)[0], "status")["phase"] == "Cancelled"
    async with World(script=until(9)) as world:
        world.start()
        await world.submit(parent({"pause": "1h"}))
        await world.until(lambda: world.node("refine").get("phase") == "Backoff", "it pauses")
        await world.patch_run({"cancel": True})
        status = await world.finished(within=120)
        assert status["phase"] == "Cancelled"
        assert len(children(world)) == 1


@virtual
async def test_s436_the_deadline_of_the_node_covers_the_loop() -> None:
    script = until(9, seconds=30)
    async with World(script=script) as world:
        world.start()
        await world.submit(parent({"max": 9}, deadline="100s"))
        await world.finished()
        assert world.node("refine")["reason"] == "DeadlineExceeded"
        assert len(children(world)) == 4


@virtual
async def test_s433_a_crash_between_two_iterations_starts_no_second_child_run() -> None:
    script = until(2)
    async with World(script=script) as world:
        operator = world.start()
        await world.submit(parent({"pause": "20s"}))
        await world.until(lambda: world.node("refine").get("phase") == "Backoff", "it pauses")
        operator.die()
        await world.quiet(30)
        world.start()
        status = await world.finished()
        assert status["outputs"] == {"n": 2}
        assert len(children(world)) == 2
        assert ran(world) == ["try", "judge"] * 2
        assert world.run(RUN)["metadata"]["name"] == RUN
        assert not world.all(Kind.JOB) or not world.ledger.doubled()
