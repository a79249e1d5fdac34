"""`waypost io` of items, iterations and compensations, on runs as the API server stores them."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.ports.cluster import Kind, Obj
from waypost.views.errors import CannotShow
from waypost.views.io import needed_records, node_io

from tests.support.builders import python, spec
from tests.support.harness import World, fails, gives
from tests.support.virtual import virtual

LARGE: Final = "x" * 3500
NOW: Final = datetime(2026, 11, 23, 3, 10, tzinfo=UTC)
UNDO: Final[JsonObject] = {
    "python": {"source": "def run(gave, was): ..."},
    "inputs": {"gave": "${self.output}", "was": "${self.inputs}"},
}


class Ended:
    """A run and its NodeRecords after its end."""

    def __init__(self, world: World) -> None:
        self.run = world.run()
        self.records = {one["metadata"]["name"]: one for one in world.all(Kind.NODE_RECORD)}

    def io(self, path: str, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        """The document, with the NodeRecords that it asks for and no others."""
        definition, read = define(self.run["spec"]), dict[str, Obj | None]()
        for _ in range(20):
            needed = needed_records(self.run, definition, path, records=read, now=NOW)
            if not needed:
                return node_io(self.run, definition, path, records=read, now=NOW).to_json()
            read |= {name: self.records.get(name) for name in needed - without}
            read |= dict.fromkeys(needed & without)
        raise AssertionError(f"asks for NodeRecords without end: {needed}")

    def value(self, path: str) -> tuple[Any, Any]:
        """Inputs and output."""
        shown = self.io(path)
        return shown.get("inputs"), shown.get("output")


async def mapped() -> Ended:
    """book, a map over four rooms of which one fails, and its compensation; then last, which
    fails."""
    script: dict[str, Any] = {f"book/{at}": [gives({"id": at})] for at in (0, 3)}
    script |= {"book/1": [gives({"id": LARGE})], "book/2": [fails()], "last": [fails()]}
    script |= {"book/compensate/1": [fails()], "top": [gives({"n": 7})]}
    undo = {**UNDO, "retry": {"never": True}}
    async with World(script=script) as world:
        world.start()
        node = python(
            "book",
            forEach={"items": "${inputs.rooms}", "tolerate": 1},
            inputs={"room": "${item}", "n": "${nodes.top.output.n}"},
            compensate=undo,
        )
        top = python("top", compensate=UNDO)
        rooms = {"rooms": ["a", "b", "c", "d"]}
        await world.submit(spec(top, node, python("last", after=["book"]), inputs=rooms))
        await world.finished()
        return Ended(world)


@virtual
async def test_an_item_has_its_own_inputs_and_output() -> None:
    ended = await mapped()
    assert ended.value("book/0") == ({"room": "a", "n": 7}, {"id": 0})
    assert ended.value("book/1") == ({"room": "b", "n": 7}, {"id": LARGE})
    assert ended.io("book/0")["same"] is True
    failed = ended.io("book/2")
    assert (failed["phase"], failed["reason"]) == ("Failed", "NodeError")
    assert failed["outputNote"] == "the item is Failed and has no output"
    whole = ended.io("book")
    assert whole["inputsNote"] == "each item has its own inputs; name one, such as book/0"
    assert len(whole["output"]) == 4


@virtual
async def test_a_compensation_has_inputs_too() -> None:
    ended = await mapped()
    assert ended.io("top/compensate")["inputs"] == {"gave": {"n": 7}, "was": {}}
    assert ended.io("top/compensate")["same"] is True
    first = {"gave": {"id": 3}, "was": {"room": "d", "n": 7}}
    assert ended.value("book/compensate/0") == (first, None), "undoes the last one"
    second = ended.io("book/compensate/1")
    assert second["inputs"] == {"gave": {"id": LARGE}, "was": {"room": "b", "n": 7}}
    assert (second["phase"], second["reason"]) == ("Failed", "NodeError")


@virtual
async def test_an_iteration_has_the_output_of_the_one_before() -> None:
    def next_one(pod: Any) -> Any:
        return pod.succeeds({"n": pod.inputs["n"] + 1})

    last = gives({"n": 9})
    script = {f"loop/{at}": [next_one] for at in range(3)} | {"loop/3": [last]}
    async with World(script=script) as world:
        world.start()
        node = python(
            "loop",
            repeat={"until": "${self.output.n > 5}", "max": 5},
            inputs={"n": "${previous.?output.?n.orValue(0)}", "at": "${index}"},
        )
        await world.submit(spec(node))
        await world.finished()
        ended = Ended(world)
    found = [ended.value(f"loop/{at}") for at in range(4)]
    assert found == [
        ({"n": 0, "at": 0}, {"n": 1}),
        ({"n": 1, "at": 1}, {"n": 2}),
        ({"n": 2, "at": 2}, {"n": 3}),
        ({"n": 3, "at": 3}, {"n": 9}),
    ]
    assert ended.io("loop")["output"] == {"n": 9}


@virtual
async def test_what_cannot_be_read_is_said() -> None:
    ended = await mapped()
    sealed = ended.run["status"]["nodes"][1]["items"]["sealed"]
    shown = ended.io("book/1", without=frozenset({sealed}))
    assert shown["inputsNote"] == f"NodeRecord {sealed} cannot be read"
    assert shown["outputNote"] == f"NodeRecord {sealed} cannot be read"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("book/4", "book has 4 items, counted from 0"),
        ("top/0", "top has no items or iterations; leave out /0"),
        ("none/1", "no node 'none' in"),
        ("last/compensate", "no node 'last/compensate' in"),
        ("book/x", "no node 'book/x' in"),
    ],
)
@virtual
async def test_a_path_that_names_nothing_is_refused(path: str, why: str) -> None:
    ended = await mapped()
    with pytest.raises(CannotShow, match=why):
        ended.io(path)
