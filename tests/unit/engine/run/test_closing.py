"""What a failure leaves of the nodes that have not started, and that the next round runs them."""

from collections.abc import Callable

import pytest
from waypost.api.base import JsonObject

from tests.support.builders import python, spec
from tests.support.play import Play, raises, returns

ONE_AT_A_TIME = {"parallelism": 1}
CHOICE = spec(
    python("quick"),
    python("x", after=["quick"]),
    python("deep", inputs={"v": "${nodes.x.output}"}),
    {"name": "best", "first": {"of": ["quick", "deep"]}},
    python("user", inputs={"v": "${nodes.best.output}"}),
    **ONE_AT_A_TIME,
)
KEPT = spec(
    python("x"),
    python("deep", effect="once", inputs={"v": "${nodes.x.output}"}),
    python("user", inputs={"v": "${nodes.deep.output}"}),
    **ONE_AT_A_TIME,
)


def chosen_before() -> Play:
    """`best` has chosen `quick`; `user` waits for a place while `x` fails."""
    return Play(CHOICE, endings={"x": [raises(), returns(1)]}).finish()


def kept_before() -> Play:
    """A round has kept `deep`; `user` waits for a place while `x` fails."""
    endings = {"x": [returns(1), raises(), returns(1)], "user": [raises(), returns(2)]}
    play = Play(KEPT, endings=endings).finish()
    return play.rerun(**{"from": ["x"]}).finish()


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(chosen_before, id="what follows a choice"),
        pytest.param(kept_before, id="what follows a kept node with effect: once"),
    ],
)
def test_s40_a_node_that_could_start_is_not_downstream_of_a_failure(
    play: Callable[[], Play],
) -> None:
    failed = play()
    assert failed.status.phase == "Failed"
    assert (failed.phases["user"], failed.reasons["user"]) == ("Cancelled", "Cancelled")
    again = failed.rerun().finish()
    assert again.phases["user"] == "Succeeded"
    assert again.status.phase == "Succeeded"


def test_s40_a_skip_names_the_failures_that_a_node_waits_for() -> None:
    nodes: list[JsonObject] = [
        python("a"),
        python("b"),
        python("c", dependsOn=["a"]),
        python("d", dependsOn=["c", "b"]),
        python("e", dependsOn=["c"]),
    ]
    play = Play(spec(*nodes), endings={"a": [raises()], "b": [raises()]}).finish()
    assert [play.node(name).message for name in "cde"] == ["a failed", "a, b failed", "a failed"]
