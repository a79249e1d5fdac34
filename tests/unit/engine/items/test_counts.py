"""What other nodes read of the items of a map, and what is said of an item. Ids begin with the
label."""

from typing import Any

import pytest
from waypost.api.base import JsonObject, JsonValue
from waypost.compiler.definition import define

from tests.support.builders import python, spec
from tests.support.maps import items_of, mapped, programs, requests, run_of
from tests.support.play import Play, raises, returns

NONE_FAILED = {"total": 2, "succeeded": 2, "failed": 0, "failures": []}
FAILURE = {"index": 1, "reason": "NodeError", "message": "boom"}
ONE_FAILED = {"total": 2, "succeeded": 1, "failed": 1, "failures": [FAILURE]}


def reader(**inputs: JsonValue) -> JsonObject:
    """A node that reads something of the map."""
    return python("report", inputs=inputs)


def read(play: Play) -> JsonObject:
    """The inputs of that node."""
    found: JsonObject = requests(play)["report", 1]["inputs"]
    return found


@pytest.mark.parametrize(
    ("fields", "endings", "expected"),
    [
        pytest.param({}, {}, NONE_FAILED, id="S321-all-succeeded"),
        pytest.param(
            {"forEach": {"tolerate": 1}}, {"i1": [raises()]}, ONE_FAILED, id="S321-one-failed"
        ),
        pytest.param(
            {"forEach": {"tolerate": 1, "collect": "None"}},
            {"i1": [raises()]},
            ONE_FAILED,
            id="S321-without-outputs",
        ),
        pytest.param(
            {"onFailure": "Continue", "fallbackOutput": []},
            {"i1": [raises()]},
            ONE_FAILED,
            id="S321-a-fallback-stands-for-the-output",
        ),
    ],
)
def test_counts_beside_the_output(
    fields: JsonObject, endings: dict[str, Any], expected: JsonObject
) -> None:
    node = mapped(**fields)
    run = run_of(["a", "b"], node, reader(items="${nodes.scan.items}"))
    play = Play(run, endings=programs(**endings)).finish()
    assert read(play) == {"items": expected}


def test_s321_of_a_map_that_failed_the_counts_are_in_its_error() -> None:
    reads = reader(
        failed="${nodes.scan.?error.?items.?failed.orValue(0)}",
        none="${has(nodes.scan.items)}",
    )
    node = mapped(onFailure="Continue")
    play = Play(run_of(["a", "b"], node, reads), endings=programs(i1=[raises()])).finish()
    assert read(play) == {"failed": 1, "none": False}


def test_s321_a_map_without_a_list_has_no_counts() -> None:
    reads = reader(known="${has(nodes.scan.error.items)}", why="${nodes.scan.?error.?reason}")
    node = mapped(onFailure="Continue")
    play = Play(run_of("no list", node, reads)).finish()
    assert read(play) == {"known": False, "why": "InputInvalid"}


def test_s321_a_hard_reference() -> None:
    """What reads the counts of a map that failed is skipped, as with its output."""
    node = mapped(onFailure="Continue")
    run = run_of(["a"], node, reader(items="${nodes.scan.items}"))
    play = Play(run, endings=programs(i0=[raises()])).finish()
    assert play.phases["report"] == "Skipped"


@pytest.mark.parametrize(
    ("given", "collect", "expected"),
    [
        pytest.param([1, 2, 3], "All", (3, 3, 0), id="S321-a-list"),
        pytest.param(
            {"total": 5, "succeeded": 4, "failed": 1}, "None", (5, 4, 1), id="S321-counts"
        ),
    ],
)
def test_counts_of_an_output_that_a_person_gave(
    given: JsonValue, collect: str, expected: tuple[int, int, int]
) -> None:
    node = mapped(forEach={"collect": collect}, onFailure="Continue")
    run = run_of(["a"], node, reader(items="${nodes.scan.items}"))
    play = Play(run, endings=programs(i0=[raises()])).finish()
    play.rerun(outputs={"scan": given}).finish()
    total, succeeded, failed = expected
    counts = {"total": total, "succeeded": succeeded, "failed": failed, "failures": []}
    assert read(play) == {"items": counts}


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        pytest.param(
            "nodes.scan.items.fail", "has no 'fail': it has total, succeeded", id="S321-misspelt"
        ),
        pytest.param("nodes.plan.items.failed", "nodes.plan has no 'items'", id="S321-no-map"),
        pytest.param("nodes.plan.item", "and items of a map", id="S321-no-field"),
    ],
)
def test_what_is_refused(expression: str, says: str) -> None:
    inputs = {"v": f"${{{expression}}}"}
    run = spec(python("plan"), mapped(), python("b", inputs=inputs), inputs={"list": []})
    assert says in define(run).problems[0].message


@pytest.mark.parametrize(
    ("declared", "begins"),
    [
        pytest.param({"type": "integer"}, "outputSchema describes one item: ", id="S322-schema"),
        pytest.param(None, "boom", id="S322-another-failure"),
    ],
)
def test_what_is_said_of_an_output_that_breaks_its_schema(
    declared: JsonObject | None, begins: str
) -> None:
    node = mapped() if declared is None else mapped(outputSchema=declared)
    ends = [raises()] if declared is None else [returns(["a", "list"])]
    play = Play(run_of(["a"], node), endings=programs(i0=ends)).finish()
    failures = items_of(play).failures
    assert failures is not None
    assert (failures[0].message or "").startswith(begins)
    assert begins in (play.node("scan").message or "")


def test_i17_each_attempt_of_an_item_is_reported_once_when_it_ends() -> None:
    endings = programs(i0=[raises(), returns(1)], i1=[raises()])
    node = mapped(forEach={"tolerate": 1}, retry={"limit": 1})
    play = Play(run_of(["a", "b", "c"], node), endings=endings).finish()
    reported = [
        (item.path, attempt.number, attempt.reason)
        for decision in play.decisions
        for item in decision.ended_items
        for attempt in item.attempts or ()
    ]
    assert sorted(reported, key=str) == [
        ("scan/0", 1, "NodeError"),
        ("scan/0", 2, "Succeeded"),
        ("scan/1", 1, "NodeError"),
        ("scan/1", 2, "NodeError"),
        ("scan/2", 1, "Succeeded"),
    ]
    assert all(
        attempt.started_at and attempt.pod_uid
        for decision in play.decisions
        for item in decision.ended_items
        for attempt in item.attempts or ()
    )
