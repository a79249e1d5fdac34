"""Maps, played: the statements S170 to S184 of docs/semantics.md. Ids begin with the label."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from waypost.api.base import JsonObject, JsonValue
from waypost.compiler.definition import define

from tests.support.builders import python, spec
from tests.support.maps import items_of, mapped, output, programs, requests, run_of, steps
from tests.support.play import (
    Crash,
    Ending,
    Play,
    evicted,
    masked,
    never_ends,
    raises,
    returns,
)

BOOM = [raises()]


@dataclass(frozen=True)
class Case:
    """A run with the map `scan`, played to its end."""

    values: JsonValue
    phase: str
    map: JsonObject = field(default_factory=mapped)
    endings: Mapping[str, list[Ending]] = field(default_factory=dict)
    reason: str | None = None
    says: str = ""
    output: JsonValue = None
    run_reason: str = "Completed"
    started: tuple[str, ...] = ()


def case(id: str, values: JsonValue, phase: str, *, reason: str, **more: Any) -> Any:
    more = {"reason": more.pop("because", None), **more}
    return pytest.param(Case(values, phase, **more), id=id)


TABLE = [
    case(
        "S170-a-number-is-no-list",
        7,
        "Failed",
        because="InputInvalid",
        says="expected a list, found 7 (integer)",
        run_reason="InputInvalid",
        reason="the author mistook one value for a list",
    ),
    case(
        "S170-null-is-no-list",
        None,
        "Failed",
        because="InputInvalid",
        says="expected a list, found null",
        run_reason="InputInvalid",
        reason="an empty list is written []",
    ),
    case(
        "S170-more-than-1000-items",
        list(range(1001)),
        "Failed",
        because="InputInvalid",
        says="expected at most 1000 items, found 1001",
        run_reason="InputInvalid",
        reason="the message has the count and what to do",
    ),
    case(
        "S177-no-items",
        [],
        "Succeeded",
        output=[],
        reason="a list may be empty: no pod starts, and nothing waits",
    ),
    case(
        "S177-no-items-and-no-outputs",
        [],
        "Succeeded",
        map=mapped(forEach={"collect": "None"}),
        output={"total": 0, "succeeded": 0, "failed": 0},
        reason="the counts of an empty list are zero",
    ),
    case(
        "S176-in-the-order-of-the-list",
        [30, 20, 10],
        "Succeeded",
        endings=programs(i0=[returns("a")], i1=[raises(), returns("b")], i2=[returns("c")]),
        map=mapped(retry={"limit": 1}),
        output=["a", "b", "c"],
        reason="an item that was retried and ended last keeps its place",
    ),
    case(
        "S173-a-retry-repeats-one-item",
        [1, 2, 3],
        "Succeeded",
        endings=programs(i0=[returns(0)], i1=[raises(), evicted(), returns(1)], i2=[returns(2)]),
        map=mapped(retry={"limit": 1}),
        output=[0, 1, 2],
        started=("scan/0", "scan/1", "scan/1", "scan/1", "scan/2"),
        reason="the limit counts for each item, and a disruption does not count",
    ),
    case(
        "S174-null-where-an-item-failed",
        [1, 2, 3],
        "Succeeded",
        endings=programs(i0=[returns(0)], i1=BOOM, i2=[returns(2)]),
        map=mapped(forEach={"tolerate": 1}),
        output=[0, None, 2],
        run_reason="CompletedWithFailures",
        reason="one failed item spoils neither the others nor their indexes",
    ),
    case(
        "S174-a-retry-comes-before-the-tolerance",
        [1, 2],
        "Succeeded",
        endings=programs(i0=[raises(), returns("a")], i1=[raises(), raises()]),
        map=mapped(retry={"limit": 1}, forEach={"tolerate": 1}),
        output=["a", None],
        run_reason="CompletedWithFailures",
        started=("scan/0", "scan/0", "scan/1", "scan/1"),
        reason="an item has failed when its retries are over, also if failures are tolerated",
    ),
    case(
        "S174-a-percentage-is-rounded-down",
        [1, 2, 3],
        "Failed",
        endings=programs(i1=BOOM),
        map=mapped(forEach={"tolerate": "33%"}),
        because="ItemsFailed",
        says="1 of 3 items failed, forEach.tolerate allows 0; item 2 of 3 (scan/1): NodeError",
        run_reason="ItemsFailed",
        reason="33% of 3 is less than one item",
    ),
    case(
        "S174-all-may-fail",
        [1, 2],
        "Succeeded",
        endings=programs(i0=BOOM, i1=BOOM),
        map=mapped(forEach={"tolerate": "100%"}),
        output=[None, None],
        run_reason="CompletedWithFailures",
        reason="100% never fails the map",
    ),
    case(
        "S176-counts-only",
        [1, 2],
        "Succeeded",
        endings=programs(i0=BOOM),
        map=mapped(forEach={"tolerate": 1, "collect": "None"}),
        output={"total": 2, "succeeded": 1, "failed": 1},
        run_reason="CompletedWithFailures",
        reason="collect: None keeps no outputs",
    ),
    case(
        "S175-nothing-starts-after-too-many-failures",
        [1, 2, 3, 4],
        "Failed",
        endings=programs(i0=BOOM),
        map=mapped(forEach={"maxParallel": 1}),
        because="ItemsFailed",
        run_reason="ItemsFailed",
        started=("scan/0",),
        reason="a failure beyond the tolerance stops the rest",
    ),
    case(
        "S184-inputs-of-one-item",
        [{"n": 1}, {}, {"n": 3}],
        "Succeeded",
        endings=programs(i0=[returns(0)], i2=[returns(2)]),
        map=mapped(inputs={"v": "${item.n}"}, forEach={"tolerate": 1}),
        output=[0, None, 2],
        run_reason="CompletedWithFailures",
        started=("scan/0", "scan/2"),
        reason="an item without the property fails by itself",
    ),
]


@pytest.mark.parametrize("case", TABLE)
def test_statements(case: Case) -> None:
    play = Play(run_of(case.values, case.map), endings=case.endings).finish()
    node = play.node("scan")
    assert (node.phase, node.reason) == (case.phase, case.reason)
    assert case.says in (node.message or "")
    assert play.condition("Succeeded")[1] == case.run_reason
    if case.phase == "Succeeded":
        assert output(play) == case.output
    if case.started:
        assert sorted(play.launched) == sorted(case.started)


def test_s171_item_and_index() -> None:
    """Both are visible in every evaluated field but when and forEach.items."""
    node = mapped(
        inputs={"v": "${item}", "at": "${index}"}, env=[{"name": "N", "value": "${item}"}]
    )
    play = Play(run_of(["a", "b"], node)).finish()
    found = {path: document["inputs"] for (path, _), document in requests(play).items()}
    assert found == {"scan/0": {"v": "a", "at": 0}, "scan/1": {"v": "b", "at": 1}}
    places: dict[str, JsonObject] = {
        "when": {"when": "${item == 1}"},
        "forEach.items": {"forEach": {"items": "${[item]}"}},
    }
    for field_, node in places.items():
        problems = define(run_of([1], mapped(**node))).problems
        assert [problem.message for problem in problems] == [
            f"item does not exist in {field_}, which is evaluated before the items; "
            "use it in inputs"
        ]


def test_s171_numbers_of_an_item_are_as_declared() -> None:
    """S16: the stored list has no doubles; the schema of its source says which numbers are."""
    plan = python("plan", outputSchema={"type": "array", "items": {"type": "number"}})
    node = python(
        "scan", forEach={"items": "${nodes.plan.output}"}, inputs={"half": "${item / 2.0}"}
    )
    play = Play(spec(plan, node), endings={"plan": [returns([3, 1.5])]}).finish()
    assert [requests(play)[f"scan/{at}", 1]["inputs"]["half"] for at in (0, 1)] == [1.5, 0.75]


def test_s171_elsewhere_item_is_refused() -> None:
    problems = define(spec(python("a", inputs={"v": "${item}"}))).problems
    assert [problem.message for problem in problems] == ["item exists only in a node with forEach"]


@pytest.mark.parametrize(
    ("most", "parallelism", "expected"),
    [
        pytest.param(2, 20, 2, id="S172-max-parallel"),
        pytest.param(10, 3, 3, id="S172-parallelism-of-the-run"),
        pytest.param(100, 50, 20, id="S172-twenty-in-a-pass"),
    ],
)
def test_s172_how_many_run(most: int, parallelism: int, expected: int) -> None:
    node = mapped(forEach={"maxParallel": most})
    play = Play(run_of(list(range(60)), node, parallelism=parallelism))
    play.step()
    assert play.launched == [f"scan/{at}" for at in range(expected)]


def test_s172_a_map_leaves_room_for_others() -> None:
    """The next attempt is of the map with the fewest running items."""
    other = mapped("other", forEach={"items": "${inputs.list}"})
    play = Play(run_of(list(range(9)), mapped(), other, parallelism=4))
    play.step()
    assert play.launched == ["scan/0", "other/0", "scan/1", "other/1"]


def test_s172_an_item_in_backoff_holds_no_place() -> None:
    node = mapped(forEach={"maxParallel": 1}, retry={"limit": 1, "backoff": {"initial": "60s"}})
    play = Play(run_of([1, 2, 3], node), endings=programs(i0=[raises(), returns(0)]))
    steps(play, 4)
    assert play.launched[:3] == ["scan/0", "scan/1", "scan/2"]


def test_s175_running_items_end_and_are_recorded() -> None:
    """The run is closed in the same write: nothing else starts, and what runs may end."""
    endings = programs(i0=BOOM, i1=[never_ends()])
    node = mapped(forEach={"maxParallel": 2})
    play = Play(run_of([1, 2, 3], node, python("later", after=["scan"]), python("free")), endings)
    steps(play, 3)
    items = items_of(play)
    assert (items.doomed, items.states) == ("ItemsFailed", "F R C")
    assert play.phases["later"] == "Skipped"
    play.endings = programs(i0=BOOM, i1=[returns("late")])
    play.finish()
    assert play.phases["scan"] == "Failed"
    sealed = play.records[items_of(play).sealed or ""]
    assert sealed["results"]["1"] == {"o": "late"}


def test_s179_a_fallback_is_a_list() -> None:
    node = mapped(onFailure="Continue", fallbackOutput=[0], outputSchema={"type": "integer"})
    reader = python("sum", inputs={"all": "${nodes.scan.output}"})
    play = Play(run_of([1], node, reader), endings=programs(i0=BOOM)).finish()
    assert requests(play)["sum", 1]["inputs"] == {"all": [0]}
    problems = define(run_of([1], {**node, "fallbackOutput": 0})).problems
    assert "expected a list" in problems[0].message


@pytest.mark.parametrize(
    ("edit", "phase", "reason"),
    [
        pytest.param({"cancel": True}, "Cancelled", "Cancelled", id="S180-cancel"),
    ],
)
def test_s180_stopped(edit: JsonObject, phase: str, reason: str) -> None:
    node = mapped(forEach={"maxParallel": 2})
    play = Play(run_of([1, 2, 3, 4], node), endings=programs(i0=[returns(0)], i1=[never_ends()]))
    play.step()
    running = list(play.launched)
    play.edit(**edit).finish()
    scan = play.node("scan")
    assert (scan.phase, scan.reason) == (phase, reason)
    assert play.launched == running, "nothing else has started"
    assert "of 4 items succeeded" in (scan.message or "")


def test_s180_suspend_starts_no_item() -> None:
    play = Play(run_of([1, 2, 3], mapped(forEach={"maxParallel": 1})))
    play.step()
    play.edit(suspend=True)
    for _ in range(4):
        play.advance(0.2)
        play.step()
    assert play.launched == ["scan/0"]
    assert (play.status.phase, play.node("scan").phase) == ("Suspended", "Running")
    assert play.edit(suspend=False).finish().phases == {"scan": "Succeeded"}


def test_s180_the_deadline_of_the_whole_map() -> None:
    node = mapped(forEach={"maxParallel": 1}, deadline="10s")
    play = Play(run_of([1, 2], node), endings=programs(i0=[never_ends()])).finish()
    scan = play.node("scan")
    assert (scan.phase, scan.reason) == ("Failed", "DeadlineExceeded")
    assert play.launched == ["scan/0"]


@pytest.mark.parametrize(
    ("ending", "phases", "run"),
    [
        pytest.param(
            returns(1), {"scan": "Succeeded", "user": "Succeeded"}, "Succeeded", id="in-time"
        ),
        pytest.param(
            never_ends(), {"scan": "Failed", "user": "Skipped"}, "Failed", id="not-in-time"
        ),
    ],
)
def test_s180_items_that_are_stopped_may_still_succeed_and_the_map_with_them(
    ending: Ending, phases: dict[str, str], run: str
) -> None:
    """What follows the map waits until that is known."""
    user = python("user", inputs={"n": "${size(nodes.scan.output)}"})
    document = run_of([1], mapped(deadline="10s"), user)
    play = steps(Play(document, endings=programs(i0=[never_ends()])), 2)
    play.advance(11)
    with pytest.raises(Crash):
        play.step(crash_after=1)  # so the stop of the attempt is only in the status
    assert (items_of(play).doomed, play.phases["user"]) == ("DeadlineExceeded", "Pending")
    play.endings = programs(i0=[ending])
    play.advance()
    assert play.finish().phases == phases
    assert play.status.phase == run


def test_s181_a_round_repeats_only_what_failed() -> None:
    play = Play(run_of(["a", "b", "c"], mapped()), endings=programs(i1=[raises(), returns("B")]))
    play.finish().rerun()
    play.finish()
    assert play.launched == ["scan/0", "scan/1", "scan/2", "scan/1"]
    assert output(play) == [{"from": "scan/0"}, "B", {"from": "scan/2"}]


@pytest.mark.parametrize(
    ("asked", "runs"),
    [
        pytest.param({}, [], id="kept, because it succeeded"),
        pytest.param({"from": ["scan/0"]}, ["scan/0", "scan/1"], id="an item is named"),
        pytest.param({"from": ["scan"]}, ["scan/0", "scan/1", "scan/2"], id="the map is named"),
    ],
)
def test_s181_a_map_that_succeeded_with_failed_items(asked: JsonObject, runs: list[str]) -> None:
    """A round alone keeps it; a name of it or of an item repeats the failed ones too."""
    node = mapped(forEach={"tolerate": 1})
    play = Play(run_of(["a", "b", "c"], node), endings=programs(i1=[raises(), returns("B")]))
    play.finish().rerun(**asked)
    play.finish()
    assert play.launched[3:] == runs
    assert play.phases["scan"] == "Succeeded"


def test_s181_items_are_recognized_by_what_they_are() -> None:
    """A list that was reordered, cut and extended: results move with their items."""
    play = Play(run_of(["a", "b", "c"], mapped()), endings={"scan/0": [returns("A")]}).finish()
    play.edit(inputs={"list": ["c", "x", "a", "a"]}).rerun()
    play.finish()
    assert play.launched[3:] == ["scan/1", "scan/3"]
    assert output(play) == [{"from": "scan/2"}, {"from": "scan/1"}, "A", {"from": "scan/3"}]
    assert play.node("scan").disposition == "Rerun"


def test_s181_a_list_that_is_replaced_while_items_run() -> None:
    """Running items are stopped first; those that have ended keep their results."""
    play = Play(run_of(["a", "b"], mapped()), endings={"scan/1": [never_ends(), returns("b2")]})
    steps(play, 3)
    play.edit(inputs={"list": ["b", "a"]}).rerun()
    play.step()
    assert (play.phases["scan"], items_of(play).states) == ("Superseding", "S X")
    play.finish()
    assert output(play) == [{"from": "scan/0"}, {"from": "scan/0"}]
    assert play.executions == {("scan/0", 1): 1, ("scan/1", 1): 1, ("scan/0", 2): 1}


def test_s181_a_map_becomes_a_loop_and_a_map_again() -> None:
    """One counter numbers the attempts of items and of iterations, which have the same paths."""
    map_ = mapped()
    loop = python("scan", repeat={"until": "${index >= 1}", "max": 3})
    play = Play(run_of(["a", "b"], map_), endings={"scan/1": [never_ends(), returns("b2")]})
    steps(play, 3)
    play.edit(nodes=[loop]).rerun()
    play.finish()
    assert sorted(play.executions)[:2] == [("scan/0", 1), ("scan/0", 2)]
    assert sorted(play.executions)[2:] == [("scan/1", 1), ("scan/1", 3)]
    assert play.phases == {"scan": "Succeeded"}
    play.edit(nodes=[map_]).rerun()
    play.finish()
    assert sorted(play.executions)[2:] == [
        ("scan/0", 4),
        ("scan/1", 1),
        ("scan/1", 3),
        ("scan/1", 4),
    ]
    assert output(play) == [{"from": "scan/0"}, "b2"]
    assert set(play.executions.values()) == {1}, "no program starts twice"


@pytest.mark.parametrize("named", ["scan", "plan"])
def test_s181_a_person_asks_for_a_repetition(named: str) -> None:
    """Nothing is kept of a map that is named, or that follows a node that is."""
    play = Play(run_of(["a"], python("plan"), mapped(after=["plan"]))).finish()
    play.rerun(**{"from": [named]})
    play.finish()
    assert play.launched.count("scan/0") == 2


def test_s182_effect_once() -> None:
    """A person decides; nothing runs again without being named."""
    play = Play(run_of([1, 2], mapped(effect="once")), endings=programs(i1=[evicted()])).finish()
    items = items_of(play)
    assert items.reasons == {"UnknownEffect": 1}
    play.rerun()
    play.step()
    assert play.status.round == 1
    assert "effect: once" in play.condition("Accepted")[2]


def test_s183_the_key_belongs_to_the_item() -> None:
    """A moved item is not charged twice; equal items are charged twice."""
    play = Play(run_of(["a", "b", "b"], mapped()), endings=programs(i1=BOOM)).finish()
    first = {path: document["idempotencyKey"] for (path, _), document in requests(play).items()}
    assert len(set(first.values())) == 3
    play.edit(inputs={"list": ["b", "a"]}).rerun()
    play.finish()
    second = requests(play)["scan/0", 2]["idempotencyKey"]
    assert second == first["scan/1"]


@pytest.mark.parametrize("broken", range(5))
def test_a_crash_after_any_effect_changes_nothing(broken: int) -> None:
    """T2: the operator is killed in each pass, after the first n of its effects."""
    endings = programs(i1=[raises(), returns("b")], i2=BOOM)
    node = mapped(forEach={"tolerate": 1, "maxParallel": 2}, retry={"limit": 1})
    raw = run_of(["a", "b", "c", "d"], node)
    expected = Play(raw, endings).finish()
    for killed in range(len(expected.decisions)):
        play, passes = Play(raw, endings), 0
        while not play.finished:
            with contextlib.suppress(Crash):
                play.step(crash_after=broken if passes == killed else None)
            passes += 1
            play.advance(0.2)
            if play.requeue is not None:
                play.now = max(play.now, play.requeue)
        assert masked(play.status) == masked(expected.status), killed
        assert set(play.executions.values()) == {1}


def test_s178_outputs_that_are_too_large_together() -> None:
    big = [returns("x" * 3500)] * 1
    node = mapped(forEach={"maxParallel": 100})
    play = Play(
        run_of(list(range(400)), node, parallelism=100),
        endings={f"scan/{at}": big for at in range(400)},
    ).finish(passes=3000)
    scan = play.node("scan")
    assert (scan.phase, scan.reason) == ("Failed", "OutputTooLarge")
    assert (scan.message or "").endswith(
        "together; set forEach.collect: None, or return references"
    )
    assert len(play.launched) < 400


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(200, id="200 items"),
        pytest.param(1000, id="1,000 items", marks=pytest.mark.nightly),
    ],
)
def test_vm10_many_items_in_a_few_kilobytes(count: int) -> None:
    """The status of a map is small at every write, and results go into NodeRecords."""
    play = Play(run_of(list(range(count)), mapped(forEach={"maxParallel": 100}), parallelism=200))
    largest = 0
    while not play.finished:
        play.step()
        largest = max(largest, len(play.status.model_dump_json(by_alias=True, exclude_none=True)))
        play.advance(0.2)
    assert largest < 32 * 1024
    assert output(play) == [{"from": f"scan/{at}"} for at in range(count)]
    writes = len(play.launched) * 2 + len(play.decisions) + len(play.records)
    assert writes / count <= 3.3


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        pytest.param({"forEach": {"items": "text"}}, "expected one expression", id="text"),
        pytest.param({"forEach": {"tolerate": "150%"}}, "found '150%'", id="percentage"),
        pytest.param({"forEach": {"tolerate": -1}}, "found -1", id="negative"),
        pytest.param({"repeat": {"until": "${true}", "max": 2}}, "keep one of them", id="repeat"),
    ],
)
def test_s185_what_is_refused(fields: JsonObject, says: str) -> None:
    problems = define(run_of([1], mapped(**fields))).problems
    assert any(says in problem.message for problem in problems), problems


def test_s182_an_item_of_a_once_map_that_was_never_launched_ends_in_a_new_round() -> None:
    """The operator died before it created the Job; the round repeats what the map depends on."""
    push = mapped(effect="once", inputs={"v": "${item}", "w": "${nodes.plan.output}"})
    play = Play(run_of([1], python("plan"), push))
    play.step()
    play.advance()
    with pytest.raises(Crash):
        play.step(crash_after=2)
    assert [path for path, _ in play.manifests] == ["plan"]
    play.rerun(**{"from": ["plan"]}).finish()
    assert play.executions.get(("scan/0", 1)) is None
    assert play.reasons["scan"] == "ItemsFailed"
