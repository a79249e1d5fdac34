"""examples/finally, run with its own programs: it cleans up whatever happens."""

from typing import Any

import pytest
import yaml

from tests.examples.conftest import EXAMPLES
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.harness import World
from tests.support.virtual import virtual

MANIFEST: Any = yaml.safe_load((EXAMPLES / "finally" / "workflow.yaml").read_text(encoding="utf-8"))
PATHS = ("create", "measure", "destroy", "report")


def output_of(pod: PodView) -> Any:
    """What the source of a python node makes of its inputs. Raises what the source raises."""
    names: dict[str, Any] = {}
    exec(pod.request["python"]["source"].replace("time.sleep(2)", ""), names)
    return names["run"](**pod.inputs)


def own_program(pod: PodView) -> Outcome:
    """What the source of a python node does with its inputs."""
    try:
        output = output_of(pod)
    except RuntimeError as error:
        return pod.fails(str(error), seconds=5)
    return pod.succeeds(output, seconds=5)


@pytest.mark.parametrize(
    ("broken", "cancel", "phase", "report"),
    [
        pytest.param(
            True, False, "Failed", "Failed; failed: measure; removed: load-test-1", id="failure"
        ),
        pytest.param(
            False, False, "Succeeded", "Succeeded; failed: none; removed: load-test-1", id="success"
        ),
        pytest.param(
            True, True, "Cancelled", "Cancelled; failed: none; removed: load-test-1", id="cancel"
        ),
    ],
)
@virtual
async def test_it_cleans_up(broken: bool, cancel: bool, phase: str, report: str) -> None:
    async with World(script={path: [own_program] for path in PATHS}) as world:
        world.start()
        inputs = {**MANIFEST["spec"]["inputs"], "broken": broken}
        await world.submit({**MANIFEST["spec"], "inputs": inputs})
        if cancel:
            await world.until(lambda: bool(world.ledger.of("measure")), "measure runs")
            await world.patch_run({"cancel": True})
        status = await world.finished()
    assert status["phase"] == phase
    assert status["outputs"] == {"report": report}
