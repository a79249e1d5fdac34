"""examples/evaluator-optimiser: a loop ends when its text is good enough, or with the budget."""

from typing import Any

import pytest
import yaml
from waypost.api.provider import ModelProviderSpec
from waypost.protocol.work import Usage

from tests.dev.serving import serving
from tests.examples.conftest import EXAMPLES
from tests.examples.test_agents import Play as Conversation
from tests.examples.test_agents import script
from tests.support.maps import requests
from tests.support.play import Ending, Play, returns, uses

FOLDER = EXAMPLES / "evaluator-optimiser"
MANIFEST: Any = yaml.safe_load((FOLDER / "workflow.yaml").read_text("utf-8"))
NEEDS: Any = yaml.safe_load((FOLDER / "needs.yaml").read_text("utf-8"))


def version(number: int, score: float, *, tokens: int) -> Ending:
    """The end of an iteration."""
    text = {"text": f"version {number}", "score": score, "critique": "more"}
    usage = Usage(model_calls=1, input_tokens=tokens)
    return uses(usage, output=text, trace=True)


@pytest.mark.parametrize(
    ("iterations", "iterated", "outputs"),
    [
        pytest.param(
            [version(1, 0.5, tokens=2000), version(2, 0.95, tokens=2000)],
            2,
            {"text": "version 2", "score": 0.95, "end": "good enough"},
            id="good-enough",
        ),
        pytest.param(
            [version(1, 0.5, tokens=9000), version(2, 0.6, tokens=11000)],
            2,
            {"text": "version 2", "score": 0.6, "end": "BudgetExceeded"},
            id="the-budget-is-used-up",
        ),
        pytest.param(
            [version(number, 0.5, tokens=10) for number in range(1, 7)],
            6,
            {"text": "version 6", "score": 0.5, "end": "LoopLimit"},
            id="six-iterations",
        ),
    ],
)
def test_it_gives_the_best_text_that_it_has(
    iterations: list[Ending], iterated: int, outputs: dict[str, Any]
) -> None:
    provider = ModelProviderSpec.model_validate(NEEDS["spec"])
    best = dict(outputs)
    endings: dict[str, list[Ending]] = {"refine": iterations, "best": [returns(best)]}
    around = {"providers": {"default": provider}}
    play = Play(MANIFEST["spec"], endings=endings, overrides=around).finish()
    assert len([path for path in play.launched if path.startswith("refine")]) == iterated
    assert play.status.phase == "Succeeded"
    assert play.status.outputs == outputs
    assert requests(play)["best", 1]["inputs"] == outputs


async def test_the_script_needs_two_versions() -> None:
    async with serving(script("evaluator-optimiser")) as server:
        conversation = Conversation("evaluator-optimiser", server)
        text = conversation.inputs["text"]
        first, _ = await conversation.agent("refine", text=text, critique="none yet")
        assert first["score"] < conversation.inputs["enough"]
        second, _ = await conversation.agent(
            "refine", text=first["text"], critique=first["critique"]
        )
        assert second["score"] >= conversation.inputs["enough"]
