"""examples/nightly-batch, run with its own programs: two invoices have no address."""

from collections import Counter
from typing import Any

import pytest
import yaml

from tests.examples.conftest import EXAMPLES
from tests.examples.test_finally import output_of
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support import gateway
from tests.support.harness import World
from tests.support.virtual import virtual

MANIFEST: Any = yaml.safe_load((EXAMPLES / "nightly-batch" / "workflow.yaml").read_text("utf-8"))


@virtual
@pytest.mark.parametrize(
    ("count", "missing"),
    [
        pytest.param(50, [13], id="50"),
        pytest.param(200, [13, 113], id="200", marks=pytest.mark.nightly),
    ],
)
async def test_it_sends_all_but_those_without_an_address(count: int, missing: list[int]) -> None:
    async with World() as world:

        def own_program(pod: PodView) -> Outcome:
            try:
                output = output_of(pod)
            except RuntimeError as error:
                return pod.fails(str(error), seconds=5)
            # The list of 200 invoices has more than the 4 KiB of a commit record.
            return gateway.succeeds(world.cluster.server, pod, output, seconds=5)

        world.script = {name: [own_program] for name in ("due", "send", "report")}
        operator = world.start()
        spec = {**MANIFEST["spec"], "inputs": {"invoices": count}}
        # A tolerance of 2% of 50 is one invoice.
        await world.submit(spec)
        await world.until(lambda: len(world.ledger.of("send")) > count // 2, "half has begun")
        operator.die()
        world.start()
        status = await world.finished()
        starts = Counter(execution.path for execution in world.ledger.of("send"))
    failed = "; ".join(f"invoice {number} has no address" for number in missing)
    sent = count - len(missing)
    assert status["outputs"]["missing"] == missing
    report = status["outputs"]["report"]
    assert report.startswith(f"{sent} sent, {len(missing)} failed: ")
    assert failed in report
    twice = {f"send/{number}" for number in missing}
    assert starts == {f"send/{at}": 2 if f"send/{at}" in twice else 1 for at in range(count)}
