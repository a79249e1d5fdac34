"""What users of other systems complain about in maps, each as a test. What the tests of
the rules already play (tolerance, order, retries of one item, cancel, rounds) is not repeated."""

import pytest
from waypost.api.base import JsonObject, JsonValue
from waypost.compiler.definition import define

from tests.support.builders import python, spec
from tests.support.maps import mapped, output, programs, requests, run_of
from tests.support.play import Play, raises, returns

QUOTED: list[JsonValue] = [
    '{"a": "b\\"c"}',
    "line\nbreak",
    "${inputs.list}",
    "$$",
    {"deep": ['"', "\\"]},
]


def test_s177_an_empty_list_can_be_run_again() -> None:
    """There, a map of length zero could not be retried."""
    play = Play(run_of([], mapped(), python("sum", after=["scan"]))).finish()
    assert (play.node("scan").phase, output(play)) == ("Succeeded", [])
    play.rerun(**{"from": ["scan"]}).finish()
    assert (play.node("scan").phase, output(play)) == ("Succeeded", [])
    play.edit(inputs={"list": ["a"]})
    play.rerun(**{"from": ["scan"]}).finish()
    assert play.launched.count("scan/0") == 1
    assert play.status.phase == "Succeeded"


def test_s171_texts_pass_through_two_maps_as_they_are() -> None:
    """There, JSON text was escaped twice in a nested fan-out, and templates in data were run."""
    second = mapped("second", forEach={"items": "${nodes.scan.output}"})
    endings = {
        f"{name}/{at}": [returns(value)]
        for name in ("scan", "second")
        for at, value in enumerate(QUOTED)
    }
    play = Play(run_of(QUOTED, mapped(), second), endings=endings).finish()
    sent = requests(play)
    assert [sent[f"scan/{at}", 1]["inputs"]["v"] for at in range(len(QUOTED))] == QUOTED
    assert [sent[f"second/{at}", 1]["inputs"]["v"] for at in range(len(QUOTED))] == QUOTED
    assert output(play, "second") == QUOTED


def test_s175_a_sequential_map_stops_at_its_first_failure() -> None:
    """There, a sequential loop went on after a failure."""
    node = mapped(forEach={"maxParallel": 1})
    play = Play(run_of(["a", "b", "c"], node), endings=programs(i1=[raises("no")])).finish()
    assert play.launched == ["scan/0", "scan/1"]
    assert play.status.phase == "Failed"


def test_s175_outputs_before_a_failure_are_not_lost() -> None:
    """There, a failed item dropped what the others had given."""
    node = mapped(forEach={"maxParallel": 1})
    endings = programs(i0=[returns("A")], i1=[raises("no"), returns("B")], i2=[returns("C")])
    play = Play(run_of(["a", "b", "c"], node), endings=endings).finish()
    play.rerun().finish()
    assert output(play) == ["A", "B", "C"]
    assert play.launched == ["scan/0", "scan/1", "scan/1", "scan/2"]


@pytest.mark.parametrize(
    ("node", "says"),
    [
        pytest.param(mapped(forEach={"maxParallel": 0}), "maxParallel", id="S172-0-hangs-nothing"),
        pytest.param(
            python("a", concurrency={"key": "k", "limit": 0}), "limit", id="S262-0-hangs-nothing"
        ),
    ],
)
def test_a_limit_of_zero_is_refused(node: JsonObject, says: str) -> None:
    """There, a limit of 0 made a run hang."""
    problems = define(spec(node, inputs={"list": [1]})).problems
    assert any(says in problem.field and "at least 1" in problem.message for problem in problems)
