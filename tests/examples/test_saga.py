"""examples/saga, run with its own programs: what has succeeded is undone after the late failure."""

from typing import Any

import pytest
import yaml

from tests.examples.conftest import EXAMPLES
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.harness import World
from tests.support.virtual import virtual

MANIFEST: Any = yaml.safe_load((EXAMPLES / "saga" / "workflow.yaml").read_text(encoding="utf-8"))
NODES = ("flight", "hotel", "charge", "ticket")
SLOWER = {"hotel": 9.0}  # booked after the flight


@pytest.mark.parametrize(
    ("sold_out", "phase", "undone"),
    [
        pytest.param(
            True,
            "Failed",
            [
                ("charge", "refunded 400 of ch-400"),
                ("hotel", "cancelled hotel-ann"),
                ("flight", "cancelled flight-ann"),
            ],
            id="late failure",
        ),
        pytest.param(False, "Succeeded", [], id="success"),
    ],
)
@virtual
async def test_it_undoes_what_it_did(
    sold_out: bool, phase: str, undone: list[tuple[str, str]]
) -> None:
    done: list[tuple[str, str]] = []

    def own_program(pod: PodView) -> Outcome:
        """What the source of a python node does with its inputs."""
        names: dict[str, Any] = {}
        exec(pod.request["python"]["source"], names)
        node, slash, _ = pod.path.partition("/")
        try:
            output = names["run"](**pod.inputs)
        except RuntimeError as error:
            return pod.fails(str(error), seconds=5)
        if slash:
            done.append((node, output))
        return pod.succeeds(output, seconds=SLOWER.get(pod.path, 5.0))

    paths = [*NODES, *(f"{name}/compensate" for name in NODES)]
    async with World(script={path: [own_program] for path in paths}) as world:
        world.start()
        inputs = {**MANIFEST["spec"]["inputs"], "soldOut": sold_out}
        await world.submit({**MANIFEST["spec"], "inputs": inputs})
        status = await world.finished()
    assert status["phase"] == phase
    assert done == undone
