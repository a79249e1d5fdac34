"""Single items in `rerun.from`: `from: [scan/3]` (S160 to S163)."""

import pytest
from waypost.api.base import JsonObject, JsonValue
from waypost.kube.items.marks import counts_of, format_counts

from tests.support.builders import agent, python
from tests.support.maps import items_of, mapped, output, programs, requests, run_of, steps
from tests.support.play import Play, never_ends, raises, returns
from tests.unit.engine.nodes.test_agent import world


def keys(play: Play) -> dict[tuple[str, int], str]:
    return {attempt: document["idempotencyKey"] for attempt, document in requests(play).items()}


def again(play: Play, *names: str, **more: JsonValue) -> Play:
    play.rerun(**{"from": list(names), **more})
    return play.finish()


def test_s160_one_item_runs_again_and_what_follows_the_map() -> None:
    after = python("sum", inputs={"seen": "${nodes.scan.output}"})
    play = Play(
        run_of(["a", "b", "c"], mapped(), after),
        endings=programs(i1=[returns("first"), returns("second")]),
    ).finish()
    again(play, "scan/1")
    assert play.launched == ["scan/0", "scan/1", "scan/2", "sum", "scan/1", "sum"]
    assert output(play) == [{"from": "scan/0"}, "second", {"from": "scan/2"}]
    node = play.node("scan")
    assert (node.disposition, node.disposition_message) == (
        "Rerun",
        "item 1 named in rerun.from",
    )


def test_s160_items_that_did_not_succeed_run_too() -> None:
    play = Play(
        run_of(["a", "b", "c"], mapped(forEach={"tolerate": 1})),
        endings=programs(i2=[raises(), returns("healed")]),
    ).finish()
    again(play, "scan/0")
    assert sorted(play.launched[3:]) == ["scan/0", "scan/2"]


def test_s161_the_index_is_that_of_the_last_list() -> None:
    """The person names what was recorded, also if the same update reorders the list."""
    play = Play(run_of(["a", "b", "c"], mapped())).finish()
    play.edit(inputs={"list": ["c", "b", "a"]})
    again(play, "scan/0")
    assert play.launched[3:] == ["scan/2"], "the item a"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        pytest.param(["scan/3"], "has 3 items, counted from 0", id="beyond the list"),
        pytest.param(["scan", "scan/1"], "is also in rerun.from; name only one", id="both"),
        pytest.param(["plan/0"], "has no forEach, so no item plan/0; name plan", id="no map"),
        pytest.param(["scam/0"], "there is no node 'scam' for scam/0", id="no node"),
    ],
)
def test_s161_what_is_refused(names: list[str], says: str) -> None:
    play = Play(run_of(["a", "b", "c"], python("plan"), mapped())).finish()
    play.rerun(**{"from": names})
    play.step()
    assert play.status.round == 1
    assert says in play.condition("Accepted")[2]


def test_s161_a_map_that_never_began_has_no_item() -> None:
    play = Play(run_of(["a"], mapped(when="${inputs.list.size() > 9}"))).finish()
    play.rerun(**{"from": ["scan/0"]})
    play.step()
    assert "node scan has no list yet; name scan" in play.condition("Accepted")[2]


def test_s161_items_of_effect_once_are_refused() -> None:
    play = Play(run_of(["a"], mapped(effect="once"))).finish()
    play.rerun(**{"from": ["scan/0"]})
    play.step()
    assert "cannot be repeated one by one yet; name scan" in play.condition("Accepted")[2]


def test_s162_a_named_item_has_another_key_and_others_keep_theirs() -> None:
    play = Play(run_of(["a", "a", "b"], mapped())).finish()
    first = keys(play)
    again(play, "scan/0")
    second = keys(play)["scan/0", 2]
    assert second not in first.values()
    again(play, "scan/0")
    third = keys(play)["scan/0", 3]
    assert third not in (*first.values(), second)


def test_s162_the_key_follows_the_item_into_later_lists() -> None:
    """What was repeated is never asked for with the old key, wherever the item is."""
    play = Play(
        run_of(["a", "b"], mapped(forEach={"tolerate": 1})),
        endings={"scan/1": [returns(1), raises(), returns(2)], "scan/0": [returns(3)]},
    ).finish()
    again(play, "scan/1")
    second = keys(play)["scan/1", 2]
    play.edit(inputs={"list": ["b", "a"]})
    play.rerun()
    play.finish()
    assert play.launched[-1] == "scan/0", "b, which failed when it was repeated"
    assert keys(play)["scan/0", 3] == second


def test_s162_an_agent_gets_a_new_conversation() -> None:
    node = agent("scan", inputs={"q": "${item}"}, forEach={"items": "${inputs.list}"})
    play = Play(run_of(["a", "b"], node), overrides=world())
    play.step()
    before = marks(play)
    play.finish()
    play.endings = {"scan": [never_ends()]}
    play.rerun(**{"from": ["scan/1"]})
    play.step()
    assert set(marks(play)) == {1}
    assert marks(play)[1] not in before.values()


def marks(play: Play) -> dict[int, str]:
    """The identity of each open item, as the gateway reads it."""
    texts = items_of(play).open or []
    return {int(text.split()[0]): text.split("#")[1].split()[0] for text in texts}


def test_s163_a_round_while_items_run() -> None:
    """Running items are stopped first; those that have ended and are not named stay."""
    play = Play(run_of(["a", "b", "c"], mapped()), endings={"scan/2": [never_ends(), returns(2)]})
    steps(play, 3)
    play.rerun(**{"from": ["scan/0"]})
    play.finish()
    assert sorted(play.launched[3:]) == ["scan/0", "scan/2"]


def test_s163_a_second_round_before_the_list_is_evaluated_keeps_the_request() -> None:
    play = Play(run_of(["a", "b"], mapped()), endings={"scan/1": [returns(1), never_ends()]})
    play.finish()
    play.rerun(**{"from": ["scan/1"]})
    play.step()
    play.advance(0.2)
    play.rerun(**{"from": ["scan/0"]})
    play.step()
    play.endings = {}
    play.finish()
    assert play.node("scan").phase == "Succeeded"
    assert "scan/0" in play.launched[2:]


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        pytest.param([0, 0, 0], "", id="none"),
        pytest.param([0, 0, 0, 1, 0, 0], "0*3 1 0*2", id="one"),
        pytest.param([2, 2, 1], "2*2 1", id="several"),
    ],
)
def test_counts_are_short(counts: list[int], text: str) -> None:
    assert format_counts(counts) == text
    content: JsonObject = {"identities": [""] * len(counts), "repeats": text}
    assert counts_of(content) == counts
