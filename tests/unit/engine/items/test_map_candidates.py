"""Maps among the candidates of a first node. Ids begin with the label."""

from typing import Any

import pytest
from waypost.api.base import JsonObject, JsonValue
from waypost.compiler.definition import define

from tests.support.builders import python
from tests.support.maps import items_of, mapped, output, programs, run_of, steps
from tests.support.play import Ending, Play, never_ends, raises, returns

BEST: JsonObject = {"name": "best", "first": {"of": ["scan", "quick"]}}


def race(
    quick: list[Ending],
    *,
    best: JsonObject | None = None,
    scan: JsonObject | None = None,
    **items: list[Ending],
) -> Play:
    """A map over three items, one at a time, against a node."""
    node = scan or mapped(forEach={"maxParallel": 1})
    run = run_of(["a", "b", "c"], node, python("quick"), best or BEST)
    return Play(run, endings={**programs(**items), "quick": quick})


def test_s324_a_map_is_chosen_when_all_its_items_have_ended() -> None:
    play = race([never_ends()]).finish()
    assert play.phases == {"scan": "Succeeded", "quick": "Cancelled", "best": "Succeeded"}
    assert output(play, "best") == [{"from": f"scan/{at}"} for at in range(3)]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        pytest.param("candidate.name == 'scan' && size(candidate.output) > 2", "scan", id="S324"),
        pytest.param("candidate.name == 'quick'", "quick", id="S324-not-accepted"),
    ],
)
def test_accept_sees_the_list(accept: str, chosen: str) -> None:
    best = {"name": "best", "first": {"of": ["scan", "quick"], "accept": f"${{{accept}}}"}}
    play = race([returns({"n": 1})], best=best).finish()
    state = play.node("best").first
    assert state is not None
    assert state.chosen == chosen


def test_s324_the_items_of_a_loser_are_stopped_and_no_other_starts() -> None:
    play = steps(race([never_ends()], i1=[never_ends()]), 8)
    assert play.launched == ["scan/0", "quick", "scan/1"] or "scan/1" in play.launched
    play.endings = {**play.endings, "quick": [returns(1)]}
    play.finish()
    node = play.node("scan")
    assert (node.phase, node.reason) == ("Cancelled", "NotChosen")
    assert node.message == "another candidate was chosen; 1 of 3 items succeeded, 0 failed"
    assert items_of(play).succeeded == 1
    assert "scan/2" not in play.launched
    assert play.status.phase == "Succeeded"


def test_s324_a_loser_does_not_fail_the_run() -> None:
    """Also with onFailure: Fail: it was stopped."""
    scan = mapped(forEach={"maxParallel": 1}, onFailure="Fail")
    user = python("user", inputs={"v": "${nodes.best.output}"})
    run = run_of(["a", "b"], scan, python("quick"), BEST, user)
    play = Play(run, endings={**programs(i0=[never_ends()]), "quick": [returns(1)]}).finish()
    assert play.phases["scan"] == "Cancelled"
    assert play.phases["user"] == "Succeeded", "nothing is wound down while the items stop"
    assert play.status.phase == "Succeeded"


def test_s324_a_map_that_fails_falls_out() -> None:
    play = race([never_ends()], i0=[raises()])
    steps(play, 10)
    assert play.phases["scan"] == "Failed"
    play.endings = {**play.endings, "quick": [returns(1)]}
    play.finish()
    assert play.node("best").phase in ("Succeeded", "Failed")
    assert play.phases["scan"] == "Failed"


@pytest.mark.parametrize("of", [["scan", "quick"], ["quick", "scan"]])
def test_s469_a_map_that_begins_and_ends_in_the_write_that_chooses_comes_last(
    of: list[str],
) -> None:
    """An empty map that waits for another candidate: with `others: Cancel` it would not begin."""
    best = {"name": "best", "first": {"of": of, "others": "Finish"}}
    run = run_of([], python("quick"), mapped(dependsOn=["quick"]), best)
    play = Play(run, endings={"quick": [returns(1)]}).finish()
    ends = {play.node(path).finished_at for path in ("scan", "quick", "best")}
    assert len(ends) == 1, "one write"
    assert output(play, "best") == 1
    state = play.node("best").first
    assert state is not None
    assert state.chosen == "quick"


@pytest.mark.parametrize("of", [["scan", "quick"], ["quick", "scan"]])
def test_s469_also_if_the_node_that_chooses_begins_in_that_write(of: list[str]) -> None:
    best = {"name": "best", "first": {"of": of}, "dependsOn": ["none"]}
    none = mapped("none", dependsOn=["quick"])
    nodes = [python("quick"), mapped(dependsOn=["quick"]), none, best]
    play = Play(run_of([], *nodes), endings={"quick": [returns(1)]}).finish()
    assert len({play.node(path).finished_at for path in ("scan", "quick", "best")}) == 1
    assert output(play, "best") == 1


def test_s223_the_end_of_a_map_and_the_choice_are_in_one_write() -> None:
    """Also if the map ends in the pass that begins it, because no item has valid inputs."""
    tolerant: JsonObject = {"tolerate": "100%"}
    scan = mapped(inputs={"v": "${nodes.ask.output.missing}"}, forEach=tolerant)
    run = run_of(["a", "b"], python("ask"), scan, python("quick"), BEST)
    play = Play(run, endings={"ask": [returns({})], "quick": [never_ends()]})
    play.step()
    while play.phases["scan"] in ("Pending", "Running"):
        assert play.phases["best"] == "Waiting"
        play.advance(0.2)
        play.step()
    assert (play.phases["scan"], play.phases["best"]) == ("Succeeded", "Succeeded")


@pytest.mark.parametrize(
    ("asked", "again"),
    [
        pytest.param({}, False, id="S324-the-choice-is-kept"),
        pytest.param({"from": ["quick"]}, True, id="S324-the-race-begins-again"),
    ],
)
def test_rounds(asked: dict[str, JsonValue], again: bool) -> None:
    play = race([returns(1)], i0=[never_ends()]).finish()
    launched = list(play.launched)
    play.endings = {**programs(i0=[never_ends()]), "quick": [returns(2)]}
    play.rerun(**asked).finish()
    assert (len(play.launched) > len(launched)) is again
    assert play.phases["scan"] == "Cancelled"


def test_s324_the_type_of_a_choice_includes_the_list() -> None:
    declared: dict[str, Any] = {"type": "integer"}
    scan = mapped(outputSchema=declared)
    quick = python("quick", outputSchema={"type": "array", "items": declared})
    reader = python("sum", inputs={"n": "${nodes.best.output[0] + 1}"})
    problems = define(run_of([1], scan, quick, BEST, reader)).problems
    assert not problems
