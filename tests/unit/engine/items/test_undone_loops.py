"""Compensations of loops, pass by pass: each iteration that succeeded is undone, the newest one
first (S616 to S619)."""

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
        "at": "${index}",
        "was": "${self.inputs}",
        "gave": "${self.?output.?n.orValue(null)}",
        "key": "${self.idempotencyKey}",
    },
}
COUNT: Final[JsonObject] = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer"}},
}
PATH: Final = "book/compensate"


def booked(**fields: Any) -> JsonObject:
    """book, which is repeated until it gives 3; then last, which fails."""
    node = python(
        "book",
        **{
            "repeat": {"until": "${self.output.n >= 3}", "max": 4, **fields.pop("repeat", {})},
            "inputs": {"from": "${previous.?output.?n.orValue(0)}", "at": "${index}"},
            "outputSchema": COUNT,
            "compensate": {**UNDO, **fields.pop("undo", {})},
            **fields,
        },
    )
    return spec(node, python("last", after=["book"]))


def play(raw: JsonObject, **endings: Any) -> Play:
    """Each iteration gives one more than the one before."""
    scripts = {key.replace("__", "/"): value for key, value in endings.items()}
    counts = {f"book/{at}": [returns({"n": at + 1})] for at in range(6)}
    undone = {f"{PATH}/{at}": [returns({})] for at in range(6)}
    return Play(raw, endings={"last": [raises()], **counts, **undone, **scripts})


def undone(run: Play) -> list[str]:
    return [path for path in run.launched if path.startswith(PATH)]


def request(run: Play, path: str, attempt: int = 1) -> JsonObject:
    found = run.manifests[path, attempt]["spec"]["template"]["metadata"]["annotations"]
    texts = [text for text in found.values() if text.startswith("{")]
    made: JsonObject = next(one for one in map(json.loads, texts) if "inputs" in one)
    return made


def given(run: Play, at: int, attempt: int = 1) -> JsonObject:
    """The inputs of the compensation that ran at this place."""
    inputs: JsonObject = request(run, f"{PATH}/{at}", attempt)["inputs"]
    return inputs


def entry(run: Play) -> NodeStatus:
    return run.node(PATH)


def test_s616_the_iterations_are_undone_the_newest_one_first() -> None:
    run = play(booked()).finish()
    assert undone(run) == [f"{PATH}/{at}" for at in range(3)]
    assert [given(run, at)["at"] for at in range(3)] == [2, 1, 0]
    assert [given(run, at)["gave"] for at in range(3)] == [3, 2, 1]
    assert run.condition("CompensationSucceeded")[:2] == ("True", "Completed")
    assert entry(run).output == {"total": 3, "succeeded": 3, "failed": 0}


def test_s617_an_iteration_is_undone_with_its_own_inputs_and_key() -> None:
    run = play(booked()).finish()
    assert [given(run, at)["was"] for at in range(3)] == [
        {"from": 2, "at": 2},
        {"from": 1, "at": 1},
        {"from": 0, "at": 0},
    ]
    for at, number in enumerate((2, 1, 0)):
        sent = request(run, f"book/{number}", number + 1)
        assert given(run, at)["key"] == sent["idempotencyKey"]


@pytest.mark.parametrize(
    ("how", "left"),
    [
        pytest.param({"book__2": [raises()]}, [1, 0], id="an iteration failed"),
        pytest.param({"book__2": [returns({"n": 0})], "book__3": [returns({"n": 0})]},
                     [3, 2, 1, 0], id="until was still false after max"),
        pytest.param({"book__0": [raises()]}, [], id="nothing succeeded"),
        pytest.param({"last": [returns({})]}, [], id="the run succeeded"),
    ],
)  # fmt: skip
def test_s616_a_loop_that_failed_is_undone_too(how: Any, left: list[int]) -> None:
    run = play(booked(), **how).finish()
    assert [given(run, at)["at"] for at in range(len(undone(run)))] == left
    if not left:
        assert run.condition("CompensationSucceeded")[1] == "NothingToCompensate"


def test_s616_a_cancel_in_a_pause_undoes_what_has_succeeded() -> None:
    run = play(booked(repeat={"pause": "1h"}))
    for _ in range(60):
        run.step()
        if run.node("book").reason == "Repeating":
            break
        run.advance(1)
    run.edit(cancel=True).finish()
    assert [given(run, at)["was"] for at in range(1)] == [{"from": 0, "at": 0}]
    assert undone(run) == [f"{PATH}/0"]


def test_s616_an_iteration_of_unknown_effect_is_undone_first_and_without_an_output() -> None:
    run = play(booked(effect="once"), book__1=[evicted()]).finish()
    assert run.node("book").reason == "UnknownEffect"
    assert [(given(run, at)["at"], given(run, at)["gave"]) for at in range(2)] == [
        (1, None),
        (0, 1),
    ]
    assert given(run, 0)["was"] == {"from": 1, "at": 1}


def test_s618_an_iteration_that_is_not_undone_stops_no_other() -> None:
    run = play(booked(undo={"retry": {"never": True}}), book__compensate__1=[raises("no")]).finish()
    assert len(undone(run)) == 3
    assert entry(run).message == "1 of 3 iterations were not undone; book/1: NodeError: no"
    status, reason, message = run.condition("CompensationSucceeded")
    assert (status, reason) == ("False", "CompensationFailed")
    assert "book/1: NodeError: no; not undone: book" in message
    run.rerun()
    run.step()
    assert "its compensation ended Failed" in run.condition("Accepted")[2]


def test_s618_the_deadline_stops_the_rest() -> None:
    run = play({**booked(), "finallyDeadline": "1m"}, book__compensate__1=[never_ends()]).finish()
    assert (entry(run).phase, entry(run).reason) == ("Cancelled", "DeadlineExceeded")
    assert undone(run) == [f"{PATH}/0", f"{PATH}/1"]


def test_s619_the_next_round_begins_the_loop_again() -> None:
    run = play(booked(), last=[raises(), raises(), returns({})]).finish()
    before = {given(run, at)["key"] for at in range(3)}
    run.rerun().finish()
    assert run.node("book").disposition_message == "undone in round 1"
    assert [run.executions[f"book/{at}", at + 4] for at in range(3)] == [1, 1, 1]
    again = {given(run, at, 2)["key"] for at in range(3)}
    assert len(again) == 3
    assert not before & again, "the other side knows the old keys, of what was undone"
    run.rerun().finish()
    assert run.status.phase == "Succeeded"


def test_s619_iterations_of_an_earlier_round_are_undone_with_those_of_the_last() -> None:
    """The first round ends before anything is undone, the second one continues the loop."""
    raw = {**booked(), "finallyDeadline": "1m"}
    run = play(raw, book__1=[raises()] * 2 + [returns({"n": 2})])
    for _ in range(90):
        run.step()
        if run.status.stage == "Compensating":
            break
        run.advance(0.5)
    run.edit(suspend=True).finish()
    assert not undone(run)
    run.edit(suspend=None)
    run.rerun().finish()
    loop = run.node("book").loop
    assert loop is not None
    assert loop.done == "1 3/2 4/2"
    assert [given(run, at)["gave"] for at in range(3)] == [3, 2, 1]


def test_s616_a_result_of_a_person_is_not_undone() -> None:
    run = play(booked(), last=[raises(), raises()]).finish()
    run.rerun(outputs={"book": {"n": 7}}).finish()
    assert len(undone(run)) == 3, "nothing of the second round is undone: no iteration ran"


@pytest.mark.parametrize("after", range(4))
def test_s616_a_crash_in_any_pass_undoes_no_iteration_twice(after: int) -> None:
    run = play(booked())
    finish_crashing(run, after=after % 3)
    started = {key: count for key, count in run.executions.items() if key[0].startswith(PATH)}
    assert started == {(f"{PATH}/{at}", 1): 1 for at in range(3)}
