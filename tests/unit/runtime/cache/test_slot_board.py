"""Who waits for a slot: in order, also if thousands do."""

from datetime import UTC, datetime, timedelta

import pytest
from waypost.engine.state.slots import NO_SLOTS, SlotsDecided
from waypost.kube.facts.slots import KeySlots, Place, SlotClaim, SlotWait
from waypost.runtime.cache.runs import Key
from waypost.runtime.cache.slots import SlotBoard

T0 = datetime(2026, 3, 1, tzinfo=UTC)
KEY = "digest"


class Board:
    """A board, and the time that it sees."""

    def __init__(self) -> None:
        self.now = 0.0
        self.board = SlotBoard(monotonic=lambda: self.now)

    def waits(self, number: int, *, rest: float = 60.0, namespace: str = "default") -> Key:
        run = Key(namespace, f"run-{number}", f"uid-{number}")
        wait = SlotWait(KEY, 1, place(number), rest=rest)
        assert self.board.note(run, SlotsDecided(waits=(wait,)))
        return run

    def seen(self, run: Key) -> KeySlots:
        return self.board.of_others(run, KEY, ())


def place(number: int) -> Place:
    return Place(T0 + timedelta(seconds=number), f"run-{number}")


def claims(run: Key, number: int) -> SlotsDecided:
    return SlotsDecided(claims=(SlotClaim(KEY, number, 3),), held=1)


def test_what_waits_is_in_the_order_of_creation() -> None:
    """S258"""
    made = Board()
    runs = [made.waits(number) for number in (3, 1, 2)]
    assert [wait.place for wait in made.seen(runs[0]).waiting] == [place(1), place(2), place(3)]
    assert made.board.first("default", KEY) == runs[1]
    assert (made.board.waiting, made.board.oldest_created_at) == (3, place(1).created_at)
    made.board.forget(runs[1])
    assert made.board.first("default", KEY) == runs[2]
    assert made.board.note(runs[2], NO_SLOTS)
    assert [wait.place for wait in made.seen(runs[0]).waiting] == [place(3)]
    made.board.forget(runs[0])
    assert (made.board.waiting, made.board.oldest_created_at) == (0, None)
    assert made.board.first("default", KEY) is None


def test_namespaces_have_queues_of_their_own() -> None:
    made = Board()
    here, there = made.waits(1), made.waits(2, namespace="other")
    assert [wait.place for wait in made.seen(here).waiting] == [place(1)]
    assert [wait.place for wait in made.seen(there).waiting] == [place(2)]


def test_a_run_that_does_not_look_again_keeps_no_place() -> None:
    """Its passes fail: the others must not wait for it."""
    made = Board()
    failing = made.waits(1)
    far = made.waits(2, rest=300.0)
    made.now = 101.0
    assert made.board.first("default", KEY) == far
    assert [wait.place for wait in made.seen(far).waiting] == [place(2)]
    made.waits(1)
    assert made.board.first("default", KEY) == failing


def test_of_two_passes_one_takes_a_slot() -> None:
    made, one, two = Board(), Key("default", "one", "1"), Key("default", "two", "2")
    assert made.board.note(one, claims(one, 1))
    assert not made.board.note(two, claims(two, 1))
    assert made.board.note(one, claims(one, 1)), "the same run decides again"
    assert made.board.note(Key("other", "three", "3"), claims(two, 1)), "in another namespace"
    assert [claim.number for claim in made.seen(two).claims] == [1]
    assert made.seen(one).claims == ()
    made.board.settled(one)
    assert made.board.note(two, claims(two, 1))
    assert made.board.held == 3


@pytest.mark.parametrize(("count", "long"), [(99, False), (100, True)])
def test_s635_a_long_queue_is_shown_to_every_pass_of_its_namespace(count: int, long: bool) -> None:
    made = Board()
    runs = [made.waits(number) for number in range(count)]
    shown = made.board.long_queues("default")
    assert [len(waits) for waits in shown.values()] == ([count] if long else [])
    assert made.board.long_queues("other") == {}
    made.board.forget(runs[0])
    assert made.board.long_queues("default") == {}
