"""Maps among the nodes of finally: each item cleans up one thing. Ids begin with the label."""

import pytest
from waypost.api.base import JsonObject

from tests.support.builders import python, spec
from tests.support.maps import items_of, mapped, output, programs, requests
from tests.support.play import Play, never_ends, raises, returns


def run(*nodes: JsonObject, clean: JsonObject | None = None, **fields: object) -> JsonObject:
    """A run whose finally is a map over inputs.list."""
    last = {"finally": [clean or mapped()], "inputs": {"list": ["a", "b", "c"]}}
    return spec(*(nodes or (python("main"),)), **{**last, **fields})


def test_s323_each_item_runs_after_all_nodes() -> None:
    play = Play(run()).finish()
    assert play.launched == ["main", "scan/0", "scan/1", "scan/2"]
    assert output(play) == [{"from": f"scan/{at}"} for at in range(3)]
    assert play.condition("FinallySucceeded")[0] == "True"


@pytest.mark.parametrize(
    ("main", "fields", "phase"),
    [
        pytest.param([raises()], {}, "Failed", id="S323-after-a-failure"),
        pytest.param([never_ends()], {"cancel": True}, "Cancelled", id="S323-after-a-cancel"),
    ],
)
def test_finally_runs_all_items_whatever_happened(
    main: list[object], fields: JsonObject, phase: str
) -> None:
    play = Play(run(), endings={"main": main})  # type: ignore[dict-item]
    play.step()
    play.edit(**fields)
    play.finish()
    assert play.status.phase == phase
    assert items_of(play).succeeded == 3


def test_s323_an_item_that_fails_stops_no_other_node_of_finally() -> None:
    other = python("other", after=["scan"])
    clean = mapped(forEach={"maxParallel": 1})
    body = {**run(), "finally": [clean, other]}
    play = Play(body, endings=programs(i0=[raises()])).finish()
    assert play.phases == {"main": "Succeeded", "scan": "Failed", "other": "Succeeded"}
    assert play.launched == ["main", "scan/0", "other"], "the tolerance of the map holds"
    assert play.condition("FinallySucceeded")[:2] == ("False", "FinallyFailed")


def test_s323_the_deadline_of_finally_stops_items() -> None:
    clean = mapped(forEach={"maxParallel": 1})
    body = run(clean=clean, finallyDeadline="30s")
    play = Play(body, endings=programs(i1=[never_ends()])).finish()
    node = play.node("scan")
    assert (node.phase, node.reason) == ("Cancelled", "DeadlineExceeded")
    assert "1 of 3 items succeeded" in (node.message or "")
    assert play.launched == ["main", "scan/0", "scan/1"]


def test_s323_skip_finally_stops_items() -> None:
    clean = mapped(forEach={"maxParallel": 1})
    play = Play(run(clean=clean), endings=programs(i1=[never_ends()]))
    for _ in range(12):
        play.step()
        play.advance(1)
    assert play.launched == ["main", "scan/0", "scan/1"]
    play.edit(cancel=True, skipFinally=True)
    play.finish()
    node = play.node("scan")
    assert (node.phase, node.message) == (
        "Cancelled",
        "skipFinally is true; 1 of 3 items succeeded, 0 failed",
    )
    assert play.status.phase == "Succeeded"


def test_s323_the_list_may_be_that_of_a_main_node() -> None:
    made = python("main", outputSchema={"type": "array", "items": {"type": "string"}})
    clean = mapped(forEach={"items": "${nodes.main.?output.orValue([])}"})
    play = Play(run(made, clean=clean), endings={"main": [raises()]}).finish()
    assert output(play) == []
    assert play.phases["scan"] == "Succeeded"


@pytest.mark.parametrize(
    ("fields", "endings"),
    [
        pytest.param({}, {}, id="S323-all-succeeded"),
        pytest.param({"effect": "once"}, {}, id="S323-once"),
        pytest.param({}, {"i1": [raises(), returns(1)]}, id="S323-one-failed"),
        pytest.param({"effect": "once"}, {"i1": [raises(), returns(1)]}, id="S323-once-failed"),
    ],
)
def test_all_items_run_again_in_each_round(fields: JsonObject, endings: JsonObject) -> None:
    body = run(clean=mapped(forEach={"maxParallel": 1, "tolerate": 1}, **fields))
    play = Play(body, endings=programs(**endings)).finish()
    play.rerun().finish()
    items = ["scan/0", "scan/1", "scan/2"]
    assert play.launched == ["main", *items, *items]
    keys = {document["idempotencyKey"] for key, document in requests(play).items()}
    assert len(keys) == len(play.launched), "another key in each round"
