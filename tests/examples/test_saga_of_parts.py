"""examples/saga-of-parts, run with its own programs: items, iterations and a child run undo it."""

from typing import Any, Final

import pytest
import yaml

from tests.examples.conftest import EXAMPLES
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.harness import World
from tests.support.virtual import virtual

MANIFEST: Final[Any] = yaml.safe_load(
    (EXAMPLES / "saga-of-parts" / "workflow.yaml").read_text(encoding="utf-8")
)
MAIN: Final = ["group", "depart", *(f"rooms/{at}" for at in range(3)), "seats/0", "seats/1"]
UNDO: Final = [
    *(f"rooms/compensate/{at}" for at in range(3)),
    *(f"seats/compensate/{at}" for at in range(2)),
    "dismiss",
    "remove",
]


@pytest.mark.parametrize(
    ("strike", "phase", "undone"),
    [
        pytest.param(
            True,
            "Failed",
            [
                "gave back block-1",
                "gave back block-0",
                "cancelled room-of-cem for cem",
                "cancelled room-of-bob for bob",
                "cancelled room-of-ann for ann",
                "dismissed group-of-3",
                "removed group-of-3",
            ],
            id="late failure",
        ),
        pytest.param(False, "Succeeded", [], id="success"),
    ],
)
@virtual
async def test_each_part_is_undone(strike: bool, phase: str, undone: list[str]) -> None:
    done: list[str] = []

    def own_program(pod: PodView) -> Outcome:
        """What the source of a python node does with its inputs."""
        names: dict[str, Any] = {}
        exec(pod.request["python"]["source"], names)
        try:
            output = names["run"](**pod.inputs)
        except RuntimeError as error:
            return pod.fails(str(error))
        if pod.path in UNDO:
            done.append(output)
        return pod.succeeds(output)

    async with World(script={path: [own_program] for path in [*MAIN, *UNDO]}) as world:
        world.start()
        inputs = {**MANIFEST["spec"]["inputs"], "strike": strike}
        await world.submit({**MANIFEST["spec"], "inputs": inputs})
        status = await world.finished()
    assert status["phase"] == phase
    assert done == undone
