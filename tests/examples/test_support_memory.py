"""examples/support-memory: the second run sees what the first decided, another customer nothing."""

from typing import Any

import yaml
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.harness import NAMESPACE, World
from tests.support.memory import values
from tests.support.virtual import virtual

FOLDER = EXAMPLES / "support-memory"


def manifest(name: str) -> Any:
    """One file of the example."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def own_program(pod: PodView) -> Outcome:
    """What the source of a python node does with its inputs."""
    names: dict[str, Any] = {}
    exec(pod.request["python"]["source"], names)
    return pod.succeeds(names["run"](**pod.inputs), seconds=5)


@virtual
async def test_the_second_run_sees_what_the_first_decided() -> None:
    """The same order is not paid back twice."""
    async with World(script={path: [own_program] for path in ("decide", "pay")}) as world:
        world.start()
        template = manifest("template.yaml")
        kind = Kind.AGENT_WORKFLOW_TEMPLATE
        await world.user.create(kind, namespace=NAMESPACE, body=template)
        first, second = manifest("first.yaml"), manifest("second.yaml")
        await world.submit(first["spec"], name="support-first")
        outputs = (await world.finished("support-first"))["outputs"]
        assert outputs == {"decision": "refund", "why": "last: none"}
        await world.submit(second["spec"], name="support-second")
        outputs = (await world.finished("support-second"))["outputs"]
        why = "A-1 was paid back already (last: refund)"
        assert outputs == {"decision": "refused", "why": why}
        assert values(world) == [
            {"decision": "refund", "refunded": "A-1", "tickets": 1},
            {"decision": "refused", "tickets": 2},
        ]
        third = {**second["spec"], "inputs": {**second["spec"]["inputs"], "customer": "18"}}
        await world.submit(third, name="support-third")
        outputs = (await world.finished("support-third"))["outputs"]
        assert outputs == {"decision": "refund", "why": "last: none"}
