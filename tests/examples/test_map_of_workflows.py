"""examples/map-of-workflows: a child run for each item, run with its own programs."""

import yaml
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.examples.test_templates import own_program
from tests.support.children import children
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

FILE = EXAMPLES / "map-of-workflows" / "workflow.yaml"


@virtual
async def test_each_file_is_reviewed_by_a_child_run() -> None:
    paths = ("read", "rate", "worst")
    manifest = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    async with World(script={path: [own_program] * 10 for path in paths}) as world:
        world.start()
        await world.user.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=manifest)
        status = await world.finished("map-of-workflows")
        assert status["outputs"] == {"worst": "test_main.py", "failed": 0}, world.tell()
        assert len(children(world, "map-of-workflows")) == 4
