"""examples/repair-loop: a loop over a template of two nodes, run with its own programs."""

import yaml
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.examples.test_templates import own_program
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.children import children
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

FILE = EXAMPLES / "repair-loop" / "workflow.yaml"
RUN = "repair-loop"


def program(pod: PodView) -> Outcome:
    """The program of the node; an exception is a failure of its attempt."""
    try:
        return own_program(pod)
    except ValueError as error:
        return pod.fails(f"ValueError: {error}")


@virtual
async def test_s433_it_is_repeated_until_its_tests_pass() -> None:
    manifest = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    async with World(script={path: [program] for path in ("repair", "test")}) as world:
        world.start()
        await world.user.create(Kind.AGENT_WORKFLOW, namespace=NAMESPACE, body=manifest)
        status = await world.finished(RUN)
    assert status["outputs"] == {"text": "the cat saw the dog"}
    assert [run["status"]["outputs"]["passed"] for run in children(world, RUN)] == [
        False,
        False,
        True,
    ]
