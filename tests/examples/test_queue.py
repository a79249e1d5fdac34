"""examples/queue: its node waits in the queue, is preempted, and ends all the same (S551-S553)."""

from typing import Any

import yaml
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.fakes.nodes.kueue import Kueue
from tests.support.harness import World, gives
from tests.support.virtual import virtual

MANIFEST: Any = yaml.safe_load((EXAMPLES / "queue" / "workflow.yaml").read_text("utf-8"))


@virtual
async def test_s552_the_example_waits_and_is_preempted() -> None:
    script = {"measure": [lambda pod: pod.hangs(), gives({"mean": 3.0})]}
    async with World(script=script) as world:
        world.start()
        queue = Kueue(world.cluster.server, quota=0)
        await world.submit(MANIFEST["spec"])
        await world.quiet(3600)
        assert world.node("measure")["reason"] == "Queued"
        queue.quota = 1
        await world.until(lambda: bool(world.ledger.executions), "it runs", within=90)
        queue.preempt(world.all(Kind.JOB)[0])
        status = await world.finished()
        assert status["outputs"] == {"mean": 3.0}
        reasons = [one["reason"] for one in status["nodes"][0]["attempts"]]
        assert reasons == ["Preempted", "Succeeded"]


def test_the_code_of_the_example() -> None:
    node = MANIFEST["spec"]["nodes"][0]
    names: dict[str, Any] = {}
    exec(node["python"]["source"], names)
    assert names["run"](**node["inputs"]) == {"mean": 3.0}
