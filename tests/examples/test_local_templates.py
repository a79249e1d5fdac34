"""examples/local-templates: two child runs of one local template, run with their own programs."""

import yaml
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.examples.test_templates import own_program
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

FILE = EXAMPLES / "local-templates" / "workflow.yaml"
RUN = "local-templates"


@virtual
async def test_s340_two_child_runs_of_one_local_template() -> None:
    manifest = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    paths = ("count", "compare", "choose")
    async with World(script={path: [own_program] for path in paths}) as world:
        world.start()
        await world.user.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=manifest)
        status = await world.finished(RUN)
    assert status["outputs"] == {"longer": "first"}
    assert world.node("first", RUN)["output"] == {"words": 4, "long": True}
    assert world.node("second", RUN)["output"] == {"words": 3, "long": False}
