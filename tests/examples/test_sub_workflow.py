"""examples/sub-workflow: two child runs of one template, run with their own programs."""

from typing import Any

import yaml
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.examples.test_templates import own_program
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

FOLDER = EXAMPLES / "sub-workflow"


def manifest(name: str) -> Any:
    """One file of the example."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


@virtual
async def test_two_child_runs_of_one_template() -> None:
    paths = ("measure", "judge", "publish")
    async with World(script={path: [own_program] for path in paths}) as world:
        world.start()
        await world.user.create(
            Kind.AGENT_WORKFLOW_TEMPLATE, namespace=NAMESPACE, body=manifest("template.yaml")
        )
        await world.user.create(
            Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=manifest("workflow.yaml")
        )
        status = await world.finished("sub-workflow")
    assert status["outputs"] == {"result": "published with a warning"}
    assert world.node("check", "sub-workflow")["output"] == {"score": 4, "good": True}
    assert world.node("check_strictly", "sub-workflow")["output"] == {"score": 4, "good": False}
