"""S689: what is deleted and what is shown, from the specs of the entries of a key."""

from dataclasses import replace

import pytest
from waypost.kube.memory.entries import Entry
from waypost.kube.memory.upkeep import upkeep

from tests.unit.kube.memory.test_phases import NOW, accepted, at, episode, fact, forgotten


def deleted(*entries: Entry) -> list[str]:
    return [one.name for one in upkeep(entries, now=NOW).delete]


def test_s689_what_is_over_is_deleted() -> None:
    assert deleted(accepted("a", expiresAt=at(0)), accepted("b")) == ["a"]
    assert deleted(accepted("a", hours=-3), forgotten("f", hours=-3), accepted("b")) == ["a"]


def test_s689_a_tombstone_goes_after_what_it_forbids() -> None:
    old = forgotten("f", hours=-3, expiresAt=at(-1))
    assert deleted(accepted("a", hours=-4), old) == ["a"]
    assert deleted(accepted("b", hours=-1), old) == ["f"]


def test_s689_of_episodes_the_oldest_go_and_never_the_last_that_succeeded() -> None:
    def failed(n: int) -> Entry:
        return episode(f"e{n:02}", hours=-n, succeeded=False, source={"runUid": f"u{n}"})

    runs = [failed(n) for n in range(1, 23)]
    assert deleted(*runs) == ["e22", "e21"]
    good = episode("good", hours=-30, source={"runUid": "u30"})
    assert deleted(*runs, good) == ["e22", "e21", "e20"]


def test_s689_superseded_and_rejected_episodes_go_before_others() -> None:
    runs = [episode(f"e{n:02}", hours=-n, source={"runUid": f"u{n}"}) for n in range(2, 22)]
    again = episode("again", hours=-1, source={"runUid": "u5", "round": 2})
    assert deleted(*runs, again) == ["e05"]


def test_s689_active_facts_are_never_pushed_out() -> None:
    active = [accepted(f"a{n:03}", hours=-n) for n in range(1, 202)]
    assert deleted(*active) == []
    assert deleted(*active[:199], fact("new", hours=-1), fact("old", hours=-9)) == ["old"]


def test_s689_settled_facts_go_when_there_are_too_many() -> None:
    rejected = [
        fact(f"r{n:02}", hours=-n, decision="Rejected", decidedBy="ann") for n in range(1, 52)
    ]
    assert deleted(*rejected, accepted("a", hours=-99)) == ["r51"]


@pytest.mark.parametrize(
    ("one", "phase", "reason", "by"),
    [
        (fact("a"), "Proposed", "ReviewRequired", None),
        (accepted("a"), "Active", "Decided", "ann"),
        (fact("a", review="Automatic", full=True), "Rejected", "MemoryFull", None),
        (
            accepted("a", status={"phase": "Active", "reason": "Decided", "decidedBy": "ann"}),
            *[None] * 3,
        ),
        (
            fact("a", status={"phase": "Active", "reason": "Decided", "decidedBy": "x"}),
            "Proposed",
            "ReviewRequired",
            None,
        ),
    ],
)
def test_s689_what_is_shown(one: Entry, phase: str | None, reason: str, by: str | None) -> None:
    due = upkeep([one], now=NOW)
    shown = [(s.phase, s.reason, s.decided_by) for _, s in due.statuses]
    assert shown == ([(phase, reason, by)] if phase else [])
    assert due.idle == (phase is None)


def test_what_is_being_deleted_is_left() -> None:
    going = replace(fact("a"), deleting=True)
    assert upkeep([going], now=NOW).idle


def test_without_its_value_an_entry_is_the_same() -> None:
    """The keeper holds no values."""
    entries = [accepted("a", subject="s"), accepted("b", subject="s"), episode("e")]
    slim = [one.slim() for one in entries]
    shown = [(one.name, status) for one, status in upkeep(slim, now=NOW).statuses]
    assert shown == [(one.name, status) for one, status in upkeep(entries, now=NOW).statuses]
    assert slim[0].spec.value is None
