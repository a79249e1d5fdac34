"""examples/first, run with its own programs: the first good answer, and a person with a limit."""

from typing import Any

import pytest
import yaml

from tests.examples.conftest import EXAMPLES
from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.harness import World
from tests.support.virtual import virtual

MANIFEST: Any = yaml.safe_load((EXAMPLES / "first" / "workflow.yaml").read_text(encoding="utf-8"))
SECONDS = {"quick": 1.0, "deep": 5.0, "careful": 60.0}


def own_program(pod: PodView) -> Outcome:
    """What the source of a candidate does with its inputs, in its time."""
    lines = pod.request["python"]["source"].splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(line for line in lines if "time" not in line), names)
    return pod.succeeds(names["run"](**pod.inputs), seconds=SECONDS[pod.path])


@pytest.mark.parametrize(
    ("confidence", "phase", "chosen"),
    [
        pytest.param(0.8, "Succeeded", "deep", id="good-enough"),
        pytest.param(0.1, "Succeeded", "quick", id="the-first"),
        pytest.param(0.99, "Failed", None, id="none"),
    ],
)
@virtual
async def test_it_chooses(confidence: float, phase: str, chosen: str | None) -> None:
    script = {name: [own_program] for name in SECONDS}
    async with World(script=script) as world:
        world.start()
        inputs = {**MANIFEST["spec"]["inputs"], "confidence": confidence}
        await world.submit({**MANIFEST["spec"], "inputs": inputs})
        status = await world.finished()
        best = world.node("best")
        assert status["phase"] == phase
        assert best.get("reason") == (None if chosen else "NoneAccepted")
        assert best["first"].get("chosen") == chosen
    if chosen is not None:
        assert world.node("review")["reason"] == "NotChosen", "nobody answered within the limit"
        assert status["outputs"]["reviewed"] is False
