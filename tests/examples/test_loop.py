"""examples/loop, run with its own programs: one loop improves, the other one polls."""

from typing import Any

import pytest
import yaml

from tests.examples.conftest import EXAMPLES
from tests.examples.test_finally import own_program
from tests.support.harness import World
from tests.support.virtual import virtual

MANIFEST: Any = yaml.safe_load((EXAMPLES / "loop" / "workflow.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("target", "phase", "reason"),
    [
        pytest.param(1.0, "Succeeded", None, id="good-enough"),
        pytest.param(9.0, "Failed", "LoopLimit", id="never"),
    ],
)
@virtual
async def test_it_loops(target: float, phase: str, reason: str | None) -> None:
    async with World(script={"refine": [own_program], "ready": [own_program]}) as world:
        world.start()
        inputs = {**MANIFEST["spec"]["inputs"], "target": target}
        await world.submit({**MANIFEST["spec"], "inputs": inputs})
        status = await world.finished()
        assert status["phase"] == phase
        assert world.node("refine").get("reason") == reason
        iterations = [pod["attempt"] for pod in _attempts(world.node("refine"))]
        assert iterations == ([1, 2, 3] if reason is None else [1, 2, 3, 4])
    if reason is None:
        assert status["outputs"] == {"text": "the quick fox", "steps": 3, "state": "ready"}


def _attempts(node: Any) -> list[Any]:
    return [{"attempt": entry["number"]} for entry in node["attempts"]]
