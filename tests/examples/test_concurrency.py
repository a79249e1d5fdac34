"""examples/concurrency, run with its own programs: two runs share a key for each tenant."""

from typing import Any

import yaml
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.harness import World
from tests.support.templates import create_template
from tests.support.virtual import virtual

FILES = ("template.yaml", "workflow.yaml", "second-run.yaml")
SECONDS = {"call": 5.0, "report": 1.0}


def own_program(pod: PodView) -> Outcome:
    """What the source of a node does with its inputs, in its time."""
    lines = pod.request["python"]["source"].splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(line for line in lines if "time" not in line), names)
    seconds = SECONDS[pod.path.partition("/")[0]]
    return pod.succeeds(names["run"](**pod.inputs), seconds=seconds)


@virtual
async def test_calls_of_one_tenant_take_turns() -> None:
    folder = EXAMPLES / "concurrency"
    texts = [(folder / name).read_text(encoding="utf-8") for name in FILES]
    template, *runs = (yaml.safe_load(text) for text in texts)
    async with World(script={name: [own_program] for name in SECONDS}) as world:
        world.start()
        await create_template(world, template["spec"], template["metadata"]["name"])
        for run in runs:
            await world.submit(run["spec"], name=run["metadata"]["name"])
        for run in runs:
            assert (await world.finished(run["metadata"]["name"]))["phase"] == "Succeeded"
        acme, other, initech = sorted(world.ledger.of("call"), key=lambda e: (e.path, e.started_at))
        assert acme.ended_at is not None
        assert other.started_at >= acme.ended_at, "one call for acme at a time"
        assert initech.path == "call/1"
        await world.quiet(5)
        assert [
            b for b in world.all(Kind.LEASE) if b["metadata"]["name"] != "waypost-operator"
        ] == []
