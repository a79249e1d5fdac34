"""Compensations of maps, played on a simulated cluster (S504 to S507)."""

from typing import Any, Final

import pytest
from waypost.api.base import JsonObject
from waypost.kube.objects import items, section

from tests.fakes.nodes.programs import Outcome, PodView, Program
from tests.support.builders import python, spec
from tests.support.children import calls, children
from tests.support.harness import World, fails, gives
from tests.support.templates import create_template
from tests.support.virtual import virtual

UNDO: Final[JsonObject] = {
    "inputs": {"at": "${index}", "gave": "${self.output}", "was": "${self.inputs}"},
    "python": {"source": "def run(at, gave, was): ..."},
}
LAST: Final = python("last", after=["book"])


def book(**fields: Any) -> JsonObject:
    for_each = {"items": "${inputs.list}", **fields.pop("for_each", {})}
    node = {"forEach": for_each, "inputs": {"room": "${item}"}, "compensate": UNDO, **fields}
    return node if "workflow" in node else python("book", **node)


def undoing(seen: list[PodView]) -> Program:
    def program(pod: PodView) -> Outcome:
        seen.append(pod)
        return pod.succeeds()

    return program


@virtual
async def test_s505_large_outputs_are_read_from_their_records() -> None:
    """Outputs of items that are in blocks."""
    seen: list[PodView] = []
    large = {at: letter * 3500 for at, letter in enumerate("abcdef")}
    script: dict[str, Any] = {f"book/{at}": [gives(text)] for at, text in large.items()}
    script |= {f"book/compensate/{at}": [undoing(seen)] for at in large}
    async with World(script={**script, "last": [fails()]}) as world:
        world.start()
        await world.submit(spec(book(), LAST, inputs={"list": [*large]}))
        await world.finished()
        assert world.node("book/compensate")["phase"] == "Succeeded"
    assert [pod.inputs["gave"] for pod in seen] == [large[at] for at in (5, 4, 3, 2, 1, 0)]
    assert [pod.inputs["was"] for pod in seen] == [{"room": at} for at in (5, 4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    "undo",
    [
        pytest.param(UNDO, id="by programs"),
        pytest.param(
            {"inputs": {"at": "${index}"}, "workflow": {"templateRef": {"name": "undo"}}},
            id="by child runs",
        ),
    ],
)
@virtual
async def test_s504_items_that_are_child_runs_are_undone(undo: JsonObject) -> None:
    order: list[Any] = []

    def program(pod: PodView) -> Outcome:
        order.append(pod.inputs["at"])
        return pod.succeeds()

    takes = {"type": "object", "properties": {"at": {}, "room": {}}}
    steps = python("step", inputs={"at": "${inputs.at}"})
    made = spec(python("make"), inputSchema=takes, outputs={"n": 1})
    script: dict[str, Any] = {f"book/compensate/{at}": [program] for at in range(3)}
    async with World(script={**script, "step": [program] * 3, "last": [fails()]}) as world:
        world.start()
        await create_template(world, made, "make")
        await create_template(world, spec(steps, inputSchema=takes), "undo")
        node = calls(
            "book",
            "make",
            **{
                **book(workflow={}),
                "workflow": {"templateRef": {"name": "make"}},
                "compensate": undo,
            },
        )
        await world.submit(spec(node, LAST, inputs={"list": [1, 2, 3]}))
        await world.finished()
        entry = world.node("book/compensate")
        paths = [made["spec"]["parent"]["path"] for made in children(world)]
    assert (entry["phase"], entry.get("message")) == ("Succeeded", None)
    assert order == [2, 1, 0]
    if "workflow" in undo:
        assert paths[3:] == [f"book/compensate/{at}" for at in range(3)]


@virtual
async def test_s504_the_status_of_a_long_map_stays_small() -> None:
    """The entry of the compensation has no list and no output for each item."""
    sizes: list[int] = []
    script = {"book": [gives({"id": "x" * 40})] * 1, "last": [fails()]}
    async with World(script=script) as world:
        world.start()
        node = book(for_each={"maxParallel": 50})
        await world.submit(spec(node, LAST, inputs={"list": [*range(40)]}, finallyDeadline="10h"))
        await world.finished()
        entry = world.node("book/compensate")
        sizes.append(len(str(entry)))
    assert entry["items"]["succeeded"] == 40
    assert sizes[0] < 1500


@virtual
async def test_s507_what_was_not_undone_is_named() -> None:
    block = {**UNDO, "retry": {"never": True}}
    script = {"last": [fails()], "book/compensate/1": [fails()]}
    async with World(script=script) as world:
        world.start()
        await world.submit(spec(book(compensate=block), LAST, inputs={"list": [1, 2, 3]}))
        status = await world.finished()
    found = {one["type"]: one["message"] for one in items(status, "conditions")}
    assert "1 of 3 items were not undone; book/1: NodeError: boom" in found["CompensationSucceeded"]
    assert section(status, "verdict")["phase"] == "Failed"
