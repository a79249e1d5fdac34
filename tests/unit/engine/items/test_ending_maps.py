"""Maps at the edges of a round or a run: one that ends as a round begins, one that ends in the pass
in which others start, and one that becomes another node. Ids begin with the label."""

from typing import Any

import pytest
from waypost.api.items.status import ItemsStatus
from waypost.engine.items import records, working
from waypost.engine.rounds import replaced
from waypost.engine.state.transition import INLINE_TOTAL, Transition
from waypost.kube import names, node_records
from waypost.kube.facts.jobs import WriteProblem
from waypost.kube.items.stored import all_blocks

from tests.support.builders import SETTINGS, python
from tests.support.maps import items_of, mapped, output, programs, run_of, steps
from tests.support.passes import decide
from tests.support.play import Ending, Play, never_ends, raises, returns


def ending(**fields: Any) -> Play:
    """Another node has failed the run; one of three items runs, and no other starts."""
    node = mapped(forEach={"maxParallel": 1}, **fields)
    endings = {
        "scan/0": [never_ends(), returns(2)],
        "scan": [returns(2)],
        "other": [raises(), returns(1)],
    }
    play = steps(Play(run_of(["a", "b", "c"], node, python("other")), endings=endings), 3)
    assert (items_of(play).doomed, items_of(play).states) == ("Cancelled", "R C*2")
    return play


def test_s181_a_round_does_not_adopt_a_map_that_is_ending() -> None:
    play = ending().rerun().finish()
    assert play.status.phase == "Succeeded"
    assert output(play) == [2, 2, 2]
    node = play.node("scan")
    assert (node.phase, node.disposition) == ("Succeeded", "Rerun")
    assert node.disposition_message == "it was ending with Cancelled"


def test_s182_a_round_with_an_ending_map_of_effect_once_is_refused() -> None:
    play = ending(effect="once").rerun()
    play.step()
    assert play.status.round == 1
    assert "was ending with Cancelled and may have taken effect" in play.condition("Accepted")[2]


def test_s181_a_lower_tolerance_runs_failed_items_again() -> None:
    """The type of an element has no null without `tolerate`."""
    play = Play(
        run_of(["a", "b"], mapped(forEach={"tolerate": 1})),
        endings=programs(i1=[raises(), returns("B")]),
    ).finish()
    assert output(play) == [{"from": "scan/0"}, None]
    play.edit(nodes=[mapped()]).rerun().finish()
    assert play.launched == ["scan/0", "scan/1", "scan/1"]
    assert output(play) == [{"from": "scan/0"}, "B"]


@pytest.mark.parametrize(
    ("text", "stopped"),
    [
        pytest.param("0 +1", "0 +1 !Superseded", id="runs"),
        pytest.param("0 +1 !Timeout", "0 +1 !Timeout", id="is being stopped"),
        pytest.param(
            "0 +1 =ImagePull see !the log",
            "0 +1 =ImagePull !Superseded see !the log",
            id="a word of the message",
        ),
    ],
)
def test_s181_running_items_of_the_last_list_are_stopped(text: str, stopped: str) -> None:
    items = ItemsStatus(round=1, total=1, states="R", open=[text])
    assert replaced.replace_list(items, reusable=True).open == [stopped]


def test_s172_maps_that_end_as_they_begin_hold_no_place() -> None:
    """The write of the status causes no pass, so nothing would start the ninth map later."""
    names = [f"m{at}" for at in range(9)]
    play = Play(run_of([], *(mapped(name) for name in names)))
    play.step()
    assert play.phases == dict.fromkeys(names, "Succeeded")


def test_s40_no_item_starts_in_the_pass_in_which_a_map_fails_the_run() -> None:
    broken = mapped("broken", inputs={"v": "${item.missing}"})
    play = Play(run_of([{}, {}], broken, mapped()))
    play.step()
    assert play.launched == []
    assert play.phases == {"broken": "Failed", "scan": "Cancelled"}


def test_s181_a_former_map_does_not_end_with_the_output_of_its_list() -> None:
    """It starts as a plain node in the pass in which another node fails the run."""
    play = Play(run_of(["a", "b"], mapped()), endings=programs(i1=[never_ends()]))
    steps(play, 3)
    bad = python("bad", inputs={"v": "${nodes.slow.output.missing}"})
    play.edit(nodes=[python("scan"), python("slow"), bad]).rerun()
    play.endings = {"slow": [returns({})], "scan": [never_ends()]}
    steps(play, 2)
    assert play.phases["bad"] == "Failed"
    assert play.phases["scan"] == "Running"


def test_s91_results_that_a_list_keeps_wait_for_their_block() -> None:
    """Without the block they would all go into the status."""
    large = "x" * 3500
    play = Play(
        run_of(list(range(9)), mapped(forEach={"tolerate": 1})),
        endings={"scan/8": [raises(), returns(large)], "scan": [returns(large)]},
    ).finish()
    play.edit(inputs={"list": list(range(10))}).rerun()
    names = _items_written(play)
    problem = WriteProblem("quota", permanent=False)
    play.overrides = {"write_problems": {names[-1]: problem}}
    steps(play, 2)
    assert (play.phases["scan"], play.reasons["scan"]) == ("Pending", "RecordRejected")
    play.overrides = {}
    assert play.finish().phases["scan"] == "Succeeded"


@pytest.mark.parametrize(
    ("last", "cancelled", "phase"),
    [
        pytest.param(never_ends(), True, "Cancelled", id="S69-after-a-cancel"),
        pytest.param(returns(1), True, "Succeeded", id="S180-all-items-had-succeeded"),
        pytest.param(returns(1), False, "Running", id="S69-not-without-a-cancel"),
    ],
)
def test_a_map_that_has_to_end_does_not_wait_long_for_a_record(
    last: Ending, cancelled: bool, phase: str
) -> None:
    play = Play(run_of(["a", "b"], mapped()), endings=programs(i1=[last]))
    steps(play, 1)
    _refuse_all_records(play)
    if cancelled:
        play.edit(cancel=True)
    steps(play, 3)
    assert play.phases["scan"] == "Running"
    play.advance(31)
    steps(play, 1)
    assert play.phases["scan"] == phase


def test_s69_the_output_of_a_map_does_not_keep_a_cancelled_run_either() -> None:
    """All items have succeeded; only the list of their outputs needs a record."""
    scan = mapped(forEach={"maxParallel": 2})
    play = Play(run_of(["a", "b"], scan), endings={"scan": [returns("x" * 3000)]})
    steps(play, 1)
    _refuse_all_records(play)
    steps(play, 2)
    assert (play.phases["scan"], play.reasons["scan"]) == ("Running", "RecordRejected")
    play.edit(cancel=True)
    play.advance(31)
    steps(play, 1)
    entry = play.node("scan")
    assert (entry.phase, entry.reason) == ("Cancelled", "Cancelled")
    assert "its output could not be stored: quota" in (entry.message or "")


def _refuse_all_records(play: Play) -> None:
    """The API server refuses each NodeRecord of the map from now on."""
    problem = WriteProblem("quota", permanent=False, since=play.now)
    result = Transition(play.observe(), now=play.now, settings=SETTINGS).result_record("scan")
    items = names.items_prefix(run=play.observe().name, path="scan")
    play.overrides = {"write_problems": {result: problem, f"{items}-any": problem}}


def _items_written(play: Play) -> list[str]:
    """The NodeRecords that the next pass would write."""
    decision = decide(play.observe(), play.now, SETTINGS)
    return [put.manifest["metadata"]["name"] for put in decision.before]  # type: ignore[union-attr]


SMALL, MIDDLE = "a" * 100, "a" * 1000


@pytest.mark.parametrize(
    ("results", "beside", "moved"),
    [
        pytest.param([MIDDLE] * 4, 0, False, id="four of 1 KiB stay: a block is one more write"),
        pytest.param([MIDDLE] * 5, 0, True, id="five of 1 KiB are worth a block"),
        pytest.param([SMALL] * 30, 0, False, id="many small ones take little room"),
        pytest.param([SMALL] * 60, 0, True, id="until they take 4 KiB"),
        pytest.param([MIDDLE * 4] * 3, 0, False, id="three of 4 KiB"),
        pytest.param([MIDDLE * 6] * 3, 0, True, id="more than 16 KiB"),
        pytest.param([SMALL], INLINE_TOTAL, False, id="one beside a full status stays"),
        pytest.param([SMALL] * 5, INLINE_TOTAL, True, id="five beside a full status"),
        pytest.param([MIDDLE * 5], INLINE_TOTAL, True, id="a large one beside a full status"),
    ],
)
def test_s530_when_results_leave_the_status(results: list[str], beside: int, moved: bool) -> None:
    play = Play(run_of(["a", "b"], mapped()), endings=programs(i1=[never_ends()]))
    steps(play, 1)
    transition = Transition(play.observe(), now=play.now, settings=SETTINGS)
    transition._inline = beside
    working.open_maps(transition)
    opened = transition.maps["scan"]
    opened.fresh = {at: {"o": text} for at, text in enumerate(results)}
    working.close_maps(transition)
    assert (not opened.fresh) is moved
    assert bool(opened.blocks) is moved


@pytest.mark.parametrize("read", [True, False], ids=["with the first one", "without a read"])
def test_s530_a_block_names_the_earlier_ones(read: bool) -> None:
    """The status names 16 at most, and all are found in two reads, not one after the other."""
    play = Play(run_of(["a"], mapped()))
    steps(play, 1)
    transition = Transition(play.observe(), now=play.now, settings=SETTINGS)
    stored: dict[str, Any] = {}
    named: list[str] = []
    for at in range(100):
        transition.payloads = stored if read else {}
        named = records.add_blocks(transition, "scan", named, {at: {"o": at}})
        manifest = transition.before[-1].manifest  # type: ignore[union-attr]
        fact = node_records.record_fact(manifest)
        stored[fact.name] = fact.payload.value
        assert len(named) <= records.MAX_NAMED
    assert set(all_blocks(named, stored)) == stored.keys()
    first = {name: stored[name] for name in named}
    found = all_blocks(named, first)
    assert (set(found) == stored.keys()) is read


def test_s163_rounds_may_name_all_items_together() -> None:
    """Each round names at most 200; the list has the items of all rounds before it."""
    named = list(range(1000))
    assert ItemsStatus(round=1, total=1000, again=named).again == named


def test_s184_what_follows_a_map_whose_items_all_fail_at_once_starts() -> None:
    """The write of the status causes no pass, so the pass itself asks for another one."""
    broken = mapped(inputs={"v": "${item.missing}"}, forEach={"tolerate": "100%"})
    play = Play(run_of([{}], broken, python("later", after=["scan"])))
    play.step()
    assert play.phases == {"scan": "Succeeded", "later": "Pending"}
    assert play.requeue is not None
    assert (play.requeue - play.now).total_seconds() < 1
