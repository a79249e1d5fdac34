"""Maps whose NodeRecords cannot be read: they wait, and nothing is decided without them (S85)."""

from tests.support.maps import items_of, mapped, output, refuse_records, run_of, steps
from tests.support.play import Play, never_ends, returns

LARGE = "x" * 3500  # of an output: a few of them get a NodeRecord


def test_s85_no_item_starts_without_its_list() -> None:
    play = Play(run_of(["a", "b"], mapped(forEach={"maxParallel": 1})))
    play.step()
    items = items_of(play)
    assert items.list_record is not None
    refuse_records(play, items.list_record)
    play.advance(0.2)
    steps(play, 3)
    node = play.node("scan")
    assert (node.phase, node.reason) == ("Running", "ReadRejected")
    assert play.launched == ["scan/0"], "what has begun ends"
    play.overrides = {}
    play.finish()
    assert play.node("scan").phase == "Succeeded"
    assert play.node("scan").reason is None


def with_a_block() -> Play:
    """A map some of whose results are in a NodeRecord, which cannot be read."""
    node = mapped(forEach={"maxParallel": 2})
    play = Play(run_of(list(range(8)), node), endings={"scan": [returns(LARGE)]})
    while not (blocks := _blocks(play)):
        steps(play, 1)
    refuse_records(play, *blocks)
    return steps(play, 12)


def _blocks(play: Play) -> list[str]:
    items = play.node("scan").items if play.status.nodes else None
    return (items.blocks or []) if items is not None else []


def test_s85_a_map_does_not_end_without_its_results() -> None:
    play = with_a_block()
    node = play.node("scan")
    assert (node.phase, node.reason) == ("Running", "ReadRejected")
    assert items_of(play).states == "S*8"
    play.overrides = {}
    play.finish()
    assert output(play) == [LARGE] * 8


def test_s85_a_cancel_waits_for_results_only_for_a_while() -> None:
    play = with_a_block()
    play.edit(cancel=True)
    play.step()
    assert play.node("scan").phase == "Running"
    play.advance(31)
    play.step()
    assert play.node("scan").phase == "Cancelled"


def test_s85_a_round_waits_for_what_it_would_keep() -> None:
    """Without the results of the last list, items that succeeded would run again."""
    play = Play(run_of(["a", "b"], mapped()), endings={"scan/1": [returns(1)]}).finish()
    items = items_of(play)
    assert items.sealed is not None
    refuse_records(play, items.sealed)
    play.edit(inputs={"list": ["b", "a", "c"]}).rerun()
    steps(play, 3)
    node = play.node("scan")
    assert (node.phase, node.reason) == ("Pending", "ReadRejected")
    play.overrides = {}
    play.finish()
    assert play.launched == ["scan/0", "scan/1", "scan/2"]


def test_s85_an_item_shows_the_reason_only_while_it_waits() -> None:
    play = Play(run_of(["a"], mapped()), endings={"scan": [never_ends(), returns(1)]})
    play.step()
    play.advance(0.2)
    items = items_of(play)
    assert items.list_record is not None
    refuse_records(play, items.list_record)
    play.jobs, play.pods = {}, {}
    play.advance(20)
    steps(play, 2)
    play.overrides = {}
    play.finish()
    assert play.node("scan").phase == "Succeeded"
