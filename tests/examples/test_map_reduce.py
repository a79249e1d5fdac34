"""examples/map-reduce, run with its own programs: a text that fails leaves the others in order."""

from typing import Any

import yaml

from tests.examples.conftest import EXAMPLES
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.harness import World
from tests.support.virtual import virtual

MANIFEST: Any = yaml.safe_load((EXAMPLES / "map-reduce" / "workflow.yaml").read_text("utf-8"))
PATHS = ("count/0", "count/1", "count/2", "count/3", "add")


def own_program(pod: PodView) -> Outcome:
    """What the source of a python node does with its inputs."""
    names: dict[str, Any] = {}
    exec(pod.request["python"]["source"], names)
    try:
        return pod.succeeds(names["run"](**pod.inputs), seconds=2)
    except RuntimeError as error:
        return pod.fails(str(error), seconds=2)


@virtual
async def test_it_adds_what_was_counted() -> None:
    async with World(script={path: [own_program] for path in PATHS}) as world:
        operator = world.start()
        await world.submit(MANIFEST["spec"])
        await world.until(lambda: bool(world.ledger.of("count/1")), "the second item runs")
        operator.die()
        world.start()
        status = await world.finished()
    assert status["outputs"] == {
        "texts": ["spring", "summer", "winter"],
        "words": {"rain": 3, "and": 4, "sun": 3, "snow": 1},
    }
    entry = next(node for node in status["nodes"] if node["path"] == "count")
    assert (entry["items"]["succeeded"], entry["items"]["failed"]) == (3, 1)
    assert [len(world.ledger.of(path)) for path in PATHS] == [1, 1, 1, 1, 1]
