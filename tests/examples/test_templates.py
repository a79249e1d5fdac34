"""examples/templates: two runs of one template, applied before it, run with their own programs."""

from typing import Any

import yaml
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

FOLDER = EXAMPLES / "templates"


def manifest(name: str) -> Any:
    """One file of the example."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def own_program(pod: PodView) -> Outcome:
    """What the source of a python node does with its inputs."""
    names: dict[str, Any] = {}
    exec(pod.request["python"]["source"], names)
    return pod.succeeds(names["run"](**pod.inputs), seconds=5)


@virtual
async def test_two_runs_of_one_template() -> None:
    async with World(script={path: [own_program] for path in ("count", "judge")}) as world:
        world.start()
        for name in ("workflow.yaml", "second-run.yaml"):
            body = manifest(name)
            await world.user.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=body)
        await world.quiet(30)
        await world.user.create(
            Kind.AGENT_WORKFLOW_TEMPLATE, namespace=NAMESPACE, body=manifest("template.yaml")
        )
        short = await world.finished("templates")
        long = await world.finished("templates-long")
    assert short["outputs"] == {"words": 3, "verdict": "short"}
    assert long["outputs"] == {"words": 6, "verdict": "long"}
    assert short["template"]["digest"] == long["template"]["digest"]
