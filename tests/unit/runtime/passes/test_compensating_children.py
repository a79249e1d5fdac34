"""Compensations that are child runs, played on a simulated cluster (S501 to S503)."""

from typing import Any, Final

import pytest
from waypost.api.base import JsonObject
from waypost.kube.objects import section

from tests.fakes.nodes.programs import Outcome, PodView, Program
from tests.support.builders import gate, python, spec
from tests.support.children import calls, child, children, patch_child, ran
from tests.support.harness import World, fails, gives, hangs
from tests.support.templates import create_template
from tests.support.virtual import virtual

INPUTS: Final = {"id": "${self.?output.?id.orValue(0)}", "key": "${self.idempotencyKey}"}
TAKES: Final = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "key": {"type": "string"}},
}
BOTH: Final = [
    python("call", inputs={"id": "${inputs.?id.orValue(0)}"}),
    python("note", dependsOn=["call"]),
]
UNDO: Final = spec(*BOTH, inputSchema=TAKES, outputs={"undone": "${inputs.?id.orValue(0)}"})
LAST: Final = python("last", dependsOn=["book"])


def undone(name: str = "book", **fields: Any) -> JsonObject:
    """A node whose compensation runs the template `undo`."""
    block = {"workflow": {"templateRef": {"name": "undo"}}, "inputs": INPUTS}
    return python(name, compensate={**block, **fields})


def script(**more: Any) -> dict[str, Any]:
    return {"book": [gives({"id": 7})] * 9, "last": [fails()] * 9, **more}


async def until_child_runs(world: World) -> None:
    await world.until(
        lambda: section(child(world), "status").get("phase") == "Running", "the child run runs"
    )


@pytest.mark.parametrize(
    "local", [pytest.param(False, id="template"), pytest.param(True, id="local")]
)
@virtual
async def test_s501_a_child_run_undoes_a_node(local: bool) -> None:
    given: list[PodView] = []

    def program(pod: PodView) -> Outcome:
        given.append(pod)
        return pod.succeeds()

    kind = {"template": "undo"} if local else {"templateRef": {"name": "undo"}}
    fields = {"templates": [{"name": "undo", **UNDO}]} if local else {}
    async with World(script=script(call=[program])) as world:
        world.start()
        await create_template(world, UNDO, "undo")
        await world.submit(spec(undone(workflow=kind), LAST, **fields))
        status = await world.finished()
        made = child(world)
    assert status["phase"] == "Failed"
    entry = world.node("book/compensate")
    assert entry["phase"] == "Succeeded"
    assert entry["output"] == {"undone": 7}
    assert entry["child"]["name"] == made["metadata"]["name"]
    assert made["spec"]["parent"]["path"] == "book/compensate"
    assert given[0].inputs == {"id": 7}
    assert ran(world)[-2:] == ["call", "note"]


@virtual
async def test_s501_it_waits_for_its_turn_and_finally_waits_for_it() -> None:
    order: list[str] = []

    def noted(path: str) -> Program:
        def program(pod: PodView) -> Outcome:
            order.append(path)
            return pod.succeeds({"id": 1}, seconds=3)

        return program

    paths = ("call", "pay/compensate", "clean")
    async with World(script=script(**{path: [noted(path)] for path in paths})) as world:
        world.start()
        await create_template(world, UNDO, "undo")
        block = {"python": {"source": "def run(): ..."}}
        nodes = [undone(), python("pay", dependsOn=["book"], compensate=block)]
        last = python("last", dependsOn=["pay"])
        await world.submit(spec(*nodes, last, **{"finally": [python("clean")]}))
        await world.finished()
    assert order == ["pay/compensate", "call", "clean"]


@virtual
async def test_s502_a_child_run_that_fails_is_not_retried_and_the_node_is_not_undone() -> None:
    async with World(script=script(call=[fails("no")] * 9)) as world:
        world.start()
        await create_template(world, UNDO, "undo")
        await world.submit(spec(undone(), LAST))
        await world.finished()
        entry = world.node("book/compensate")
        assert len(children(world)) == 1
    assert (entry["phase"], entry["reason"]) == ("Failed", "ChildFailed")
    assert "call" in entry["message"]


@pytest.mark.parametrize(
    ("spec_of_run", "edit", "reason"),
    [
        pytest.param({"finallyDeadline": "30s"}, {}, "DeadlineExceeded", id="deadline"),
        pytest.param({}, {"cancel": True, "skipFinally": True}, "Cancelled", id="skip-finally"),
    ],
)
@virtual
async def test_s502_a_child_run_is_stopped_before_the_run_ends(
    spec_of_run: JsonObject, edit: JsonObject, reason: str
) -> None:
    async with World(script=script(call=[hangs()])) as world:
        world.start()
        await create_template(world, UNDO, "undo")
        await world.submit(spec(undone(), LAST, **spec_of_run))
        await until_child_runs(world)
        if edit:
            await world.patch_run(edit)
        await world.finished()
        assert child(world)["status"]["phase"] == "Cancelled"
        entry = world.node("book/compensate")
    assert (entry["phase"], entry["reason"]) == ("Cancelled", reason)


@virtual
async def test_s502_a_cancel_of_the_run_does_not_reach_it() -> None:
    async with World(script=script(last=[hangs()])) as world:
        world.start()
        await create_template(world, UNDO, "undo")
        await world.submit(spec(undone(), LAST))
        await world.until(lambda: world.node("last").get("phase") == "Running", "last runs")
        await world.patch_run({"cancel": True})
        status = await world.finished()
        assert child(world)["status"]["phase"] == "Succeeded"
    assert status["phase"] == "Cancelled"
    assert world.node("book/compensate")["phase"] == "Succeeded"


@virtual
async def test_s502_a_person_cancels_it() -> None:
    async with World(script=script(call=[hangs()])) as world:
        world.start()
        await create_template(world, UNDO, "undo")
        await world.submit(spec(undone(), LAST))
        await until_child_runs(world)
        await patch_child(world, {"cancel": True})
        await world.finished()
        entry = world.node("book/compensate")
    assert (entry["phase"], entry["reason"]) == ("Failed", "ChildCancelled")


@virtual
async def test_s502_its_questions_come_up() -> None:
    async with World(script=script()) as world:
        world.start()
        await create_template(world, spec(gate("ask")), "undo")
        await world.submit(spec(undone(inputs={}), LAST))
        await world.until(lambda: bool(world.status().get("waiting")), "the run waits")
        assert "ask" in world.status()["waiting"]


@virtual
async def test_s503_a_later_round_starts_another_child_run() -> None:
    async with World(script=script()) as world:
        world.start()
        await create_template(world, UNDO, "undo")
        await world.submit(spec(undone(), LAST))
        await world.finished()
        (first,) = children(world)
        await world.patch_run({"rerun": {"round": 2}})
        await world.until(
            lambda: world.status().get("round") == 2 and bool(world.status().get("finishedAt")),
            "round 2 has ended",
        )
        second = children(world)[-1]
        entry = world.node("book/compensate")
    assert second["metadata"]["name"] != first["metadata"]["name"]
    assert entry["child"]["generation"] == 2
    assert entry["attempt"] == 2
    assert first["spec"]["inputs"]["key"] != second["spec"]["inputs"]["key"]


@virtual
async def test_s501_it_may_have_all_runs_below_this_one() -> None:
    """The child runs of the nodes have ended, and no other compensation runs."""
    async with World(script=script()) as world:
        world.start()
        await create_template(world, UNDO, "undo")
        others = [calls(name, "undo", inputs={}) for name in ("one", "two")]
        book = {**undone(), "dependsOn": ["one", "two"]}
        clean = calls("clean", "undo", inputs={})
        await world.submit(spec(*others, book, LAST, **{"finally": [clean]}))
        await world.finished()
        bounds = [made["spec"]["parent"]["children"] for made in children(world)]
    assert bounds == [332, 332, 999, 332]


@virtual
async def test_s503_a_person_decides_on_a_node_whose_child_run_was_stopped() -> None:
    async with World(script=script(call=[hangs()])) as world:
        world.start()
        await create_template(world, UNDO, "undo")
        await world.submit(spec(undone(), LAST, finallyDeadline="20s"))
        await world.finished()
        await world.patch_run({"rerun": {"round": 2}})
        await world.quiet(5)
        status = world.status()
    assert status.get("round", 1) == 1
    refused = next(c for c in status["conditions"] if c["type"] == "Accepted")
    assert "its compensation ended Cancelled (DeadlineExceeded)" in refused["message"]
