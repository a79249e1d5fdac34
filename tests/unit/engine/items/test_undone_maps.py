"""Compensations of maps, pass by pass: each item that succeeded is undone, the last one first."""

import json
from typing import Any, Final

import pytest
from waypost.api.base import JsonObject
from waypost.api.status import NodeStatus

from tests.support.builders import python, spec
from tests.support.crashing import finish_crashing
from tests.support.play import Play, evicted, never_ends, raises, returns

UNDO: Final[JsonObject] = {
    "python": {"source": "def run(**inputs):\n    return inputs\n"},
    "inputs": {
        "item": "${item}",
        "index": "${index}",
        "was": "${self.inputs}",
        "gave": "${self.?output.orValue(null)}",
        "key": "${self.idempotencyKey}",
    },
}
PATH: Final = "book/compensate"


def booked(**fields: Any) -> JsonObject:
    """book, a map over [a, b, c, d], then last, which fails."""
    undo = fields.pop("undo", {})
    for_each = {"items": "${inputs.list}", **fields.pop("for_each", {})}
    node = python(
        "book",
        forEach=for_each,
        **{"inputs": {"room": "${item}"}, "compensate": {**UNDO, **undo}, **fields},
    )
    last = python("last", after=["book"])
    return spec(node, last, inputs={"list": ["a", "b", "c", "d"]})


def play(raw: JsonObject, **endings: Any) -> Play:
    scripts = {key.replace("__", "/"): value for key, value in endings.items()}
    items = {f"book/{at}": [returns({"id": at})] for at in range(4)}
    undone = {f"{PATH}/{at}": [returns({})] for at in range(4)}
    return Play(raw, endings={"last": [raises()], **items, **undone, **scripts})


def undone(run: Play) -> list[str]:
    return [path for path in run.launched if path.startswith(PATH)]


def given(run: Play, at: int, attempt: int = 1) -> JsonObject:
    """The inputs of the compensation that ran at this place."""
    found = run.manifests[f"{PATH}/{at}", attempt]["spec"]["template"]["metadata"]["annotations"]
    texts = [text for text in found.values() if text.startswith("{")]
    request: JsonObject = next(one for one in map(json.loads, texts) if "inputs" in one)
    inputs: JsonObject = request["inputs"]
    return inputs


def entry(run: Play) -> NodeStatus:
    return run.node(PATH)


def test_s504_the_items_that_succeeded_are_undone_the_last_one_first() -> None:
    run = play(booked(), book__1=[raises()])
    run.edit(nodes=booked(for_each={"tolerate": 1})["nodes"]).finish()
    assert run.phases["book"] == "Succeeded"
    assert undone(run) == [f"{PATH}/{at}" for at in range(3)]
    assert [given(run, at)["index"] for at in range(3)] == [3, 2, 0]
    assert [given(run, at)["item"] for at in range(3)] == ["d", "c", "a"]
    assert run.condition("CompensationSucceeded")[:2] == ("True", "Completed")
    assert entry(run).phase == "Succeeded"
    assert entry(run).output == {"total": 3, "succeeded": 3, "failed": 0}


def test_s504_a_map_that_failed_is_undone_too() -> None:
    run = play(booked(for_each={"maxParallel": 1}), book__2=[raises()]).finish()
    assert run.phases["book"] == "Failed"
    assert [given(run, at)["item"] for at in range(2)] == ["b", "a"]


@pytest.mark.parametrize(
    "endings",
    [
        pytest.param({f"book__{at}": [raises()] for at in range(4)}, id="all failed"),
        pytest.param({"last": [returns({})]}, id="the run succeeded"),
    ],
)
def test_s504_nothing_is_undone_if_nothing_has_to_be(endings: Any) -> None:
    run = play(booked(), **endings).finish()
    assert not undone(run)
    assert run.condition("CompensationSucceeded")[1] == "NothingToCompensate"


def test_s504_an_item_of_unknown_effect_is_undone_without_an_output() -> None:
    run = play(booked(effect="once", for_each={"maxParallel": 1}), book__1=[evicted()]).finish()
    assert [given(run, at)["item"] for at in range(2)] == ["b", "a"]
    assert given(run, 0)["gave"] is None
    assert given(run, 1)["gave"] == {"id": 0}


def test_s505_an_item_is_undone_with_its_own_inputs_output_and_key() -> None:
    run = play(booked()).finish()
    first = given(run, 0)
    assert (first["was"], first["gave"]) == ({"room": "d"}, {"id": 3})
    sent = run.manifests["book/3", 1]["spec"]["template"]["metadata"]["annotations"]
    assert any(first["key"] in text for text in sent.values())
    assert len({given(run, at)["key"] for at in range(4)}) == 4


def test_s504_one_at_a_time_whatever_max_parallel_is() -> None:
    run = play(booked(for_each={"maxParallel": 4}))
    running: list[int] = []
    for _ in range(120):
        run.step()
        active = [p for p in run.pods.values() if p.path.startswith(PATH) and not p.over]
        running.append(len(active))
        if run.finished:
            break
        run.advance(1)
    assert run.finished
    assert max(running) == 1


def test_s506_a_compensation_that_fails_stops_no_other() -> None:
    raw = booked(undo={"retry": {"limit": 1}})
    run = play(raw, book__compensate__1=[raises("no")]).finish()
    assert undone(run) == [f"{PATH}/{at}" for at in (0, 1, 1, 2, 3)]
    assert (entry(run).phase, entry(run).reason) == ("Failed", "ItemsFailed")
    assert entry(run).message == "1 of 4 items were not undone; book/2: NodeError: no"
    status, reason, message = run.condition("CompensationSucceeded")
    assert (status, reason) == ("False", "CompensationFailed")
    assert "book/2: NodeError: no; not undone: book" in message


def test_s506_the_deadline_stops_the_rest() -> None:
    raw = {**booked(), "finallyDeadline": "1m"}
    run = play(raw, book__compensate__1=[never_ends()]).finish()
    assert (entry(run).phase, entry(run).reason) == ("Cancelled", "DeadlineExceeded")
    assert undone(run) == [f"{PATH}/0", f"{PATH}/1"]
    run.rerun()
    run.step()
    assert "its compensation ended Cancelled" in run.condition("Accepted")[2]


def test_s506_skip_finally_stops_the_rest() -> None:
    run = play(booked(), book__compensate__1=[never_ends()])
    for _ in range(60):
        run.step()
        if f"{PATH}/1" in run.launched:
            break
        run.advance(1)
    run.edit(cancel=True, skipFinally=True).finish()
    assert (entry(run).phase, entry(run).reason) == ("Cancelled", "Cancelled")
    assert run.condition("CompensationSucceeded")[1] == "CompensationSkipped"


def test_s507_a_later_round_keeps_no_item_that_was_undone() -> None:
    run = play(booked(), last=[raises(), raises(), returns({})]).finish()
    keys = {given(run, at)["key"] for at in range(4)}
    run.rerun().finish()
    assert run.node("book").disposition_message == "undone in round 1"
    assert [run.executions[f"book/{at}", 2] for at in range(4)] == [1, 1, 1, 1]
    assert [run.executions[f"{PATH}/{at}", 2] for at in range(4)] == [1, 1, 1, 1]
    assert not keys & {given(run, at, 2)["key"] for at in range(4)}
    run.rerun().finish()
    assert run.status.phase == "Succeeded"


def test_s507_items_that_were_undone_are_not_kept_after_a_result_of_a_person() -> None:
    """A round in which a person gives the result of the map, and one in which it runs again."""
    run = play(booked(), last=[raises(), raises(), returns({})]).finish()
    run.rerun(outputs={"book": [1, 2, 3, 4]}).finish()
    assert len(undone(run)) == 4, "nothing of the second round is undone: no item ran"
    run.rerun(**{"from": ["book"]}).finish()
    assert [run.executions[f"book/{at}", 2] for at in range(4)] == [1, 1, 1, 1]


def test_s507_a_map_whose_compensation_never_started_is_undone_later() -> None:
    run = play({**booked(), "finallyDeadline": "1m"}, last=[raises(), raises(), returns({})])
    for _ in range(60):
        run.step()
        if run.status.stage == "Compensating":
            break
        run.advance(0.5)
    run.edit(suspend=True).finish()
    assert not undone(run)
    run.edit(suspend=None)
    run.rerun().finish()
    assert run.node("book").disposition == "Reused"
    assert [given(run, at)["item"] for at in range(4)] == ["d", "c", "b", "a"]


@pytest.mark.parametrize("after", range(4))
def test_s504_a_crash_in_any_pass_undoes_no_item_twice(after: int) -> None:
    run = play(booked())
    finish_crashing(run, after=after % 3)
    started = {key: count for key, count in run.executions.items() if key[0].startswith(PATH)}
    assert started == {(f"{PATH}/{at}", 1): 1 for at in range(4)}
