"""What entries are at a moment, and which of them a run reads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from waypost.kube.memory.entries import Entry, beginning, entry
from waypost.kube.memory.phases import readable, standings

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def at(hours: float) -> str:
    """A time so many hours from now."""
    return (NOW + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def body(name: str, *, hours: float = -1, status: Any = None, **fields: Any) -> Any:
    """A Fact with a text, made `hours` from now; `fields` change its spec, None removes one."""
    type_ = fields.get("type", "Fact")
    source = {"run": "r", "runUid": "u", "round": 1, "path": "ask", "at": at(hours)}
    spec = {
        "scope": "triage",
        "key": "k",
        "type": type_,
        "value": {"text": name},
        "source": {**source, **fields.pop("source", {})},
        "expiresAt": at(100),
        **fields,
    }
    kept = {key: value for key, value in spec.items() if value is not None}
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "spec": kept, "status": status or {}}


def fact(name: str, **fields: Any) -> Entry:
    """The entry of a body that can be read."""
    found = entry(body(name, **fields))
    assert found is not None
    return found


def accepted(name: str, **fields: Any) -> Entry:
    """A Fact that a person has accepted."""
    return fact(name, decision="Accepted", decidedBy="ann", **fields)


def episode(name: str, **fields: Any) -> Entry:
    """An Episode of a run that succeeded."""
    return fact(name, type="Episode", **{"succeeded": True, **fields})


def forgotten(name: str, **fields: Any) -> Entry:
    """Forgets the key up to its time."""
    return fact(name, type="Forgotten", value=None, **fields)


def phases(*entries: Entry) -> dict[str, tuple[str, str]]:
    """Phase and reason by name."""
    found = standings(entries, now=NOW)
    return {name: (one.phase, one.reason) for name, one in found.items()}


def names(*entries: Entry, key: str = "k") -> list[str]:
    """The names of what a run with this key reads."""
    return [one.name for one in readable(entries, scope="triage", key=key, now=NOW)]


@pytest.mark.parametrize(
    ("one", "phase", "reason"),
    [
        pytest.param(fact("a"), "Proposed", "ReviewRequired", id="born"),
        pytest.param(fact("a", review="Required"), "Proposed", "ReviewRequired", id="required"),
        pytest.param(fact("a", review="Automatic"), "Active", "ReviewAutomatic", id="automatic"),
        pytest.param(accepted("a"), "Active", "Decided", id="accepted"),
        pytest.param(
            fact("a", review="Automatic", decision="Rejected", decidedBy="ann"),
            "Rejected",
            "Decided",
            id="rejected",
        ),
        pytest.param(
            fact("a", review="Automatic", full=True),
            "Rejected",
            "MemoryFull",
            id="full",
        ),
        pytest.param(
            accepted("a", full=True),
            "Active",
            "Decided",
            id="accepted-though-full",
        ),
        pytest.param(
            fact("a", status={"phase": "Active"}), "Proposed", "ReviewRequired", id="status-lies"
        ),
        pytest.param(accepted("a", expiresAt=at(0)), "Expired", "TimeOver", id="expires-now"),
        pytest.param(episode("a"), "Active", "Recorded", id="episode"),
        pytest.param(
            episode("a", decision="Rejected", decidedBy="ann"),
            "Rejected",
            "Decided",
            id="rejected-episode",
        ),
        pytest.param(forgotten("a"), "Active", "Recorded", id="forgotten"),
    ],
)
def test_s683_phase_of_one(one: Entry, phase: str, reason: str) -> None:
    assert phases(one) == {"a": (phase, reason)}
    reads = phase == "Active" and one.spec.type != "Forgotten"
    assert names(one) == (["a"] if reads else [])


def test_s684_the_newest_fact_of_a_subject_counts_not_the_one_accepted_last() -> None:
    old = accepted("old", hours=-3, subject="address")
    new = accepted("new", hours=-2, subject="address", note="accepted first")
    assert phases(new, old) == {
        "new": ("Active", "Decided"),
        "old": ("Superseded", "NewerFact"),
    }
    assert names(old, new) == ["new"]


def test_a_proposal_supersedes_nothing() -> None:
    old = accepted("old", hours=-3, subject="address")
    assert names(old, fact("new", subject="address")) == ["old"]


def test_facts_without_subject_and_of_other_keys_stand_beside_each_other() -> None:
    one, two = accepted("one", hours=-2), accepted("two", hours=-1)
    other = accepted("other", key="k2", subject="address")
    mine = accepted("mine", hours=-5, subject="address")
    assert names(one, two, other, mine) == ["two", "one", "mine"]
    assert phases(other, mine)["mine"] == ("Active", "Decided")


def test_equal_times_are_ordered_by_name() -> None:
    assert names(accepted("a", subject="s"), accepted("b", subject="s")) == ["b"]


def test_s684_of_a_run_the_episode_of_its_latest_round_counts() -> None:
    first = episode("first", hours=-1, source={"round": 1})
    second = episode("second", hours=-2, source={"round": 2})
    other = episode("other", hours=-3, source={"runUid": "u2"})
    assert names(first, second, other) == ["second", "other"]
    assert phases(first, second)["first"] == ("Superseded", "LaterRound")


def test_s683_what_is_forgotten_is_read_by_no_run() -> None:
    until = forgotten("gone", hours=-2)
    before, then = accepted("before", hours=-3), accepted("then", hours=-2)
    after, other = accepted("after", hours=-1), accepted("other", hours=-3, key="k2")
    assert names(until, before, then, after, other) == ["after"]
    assert names(until, before, then, after, other, key="k2") == ["other"]
    assert phases(until, then)["then"] == ("Expired", "Forgotten")


def test_a_forgotten_fact_supersedes_nothing() -> None:
    until = forgotten("gone", hours=-2)
    assert names(until, accepted("a", hours=-3, subject="s"), accepted("b", subject="s")) == ["b"]


def test_an_expired_tombstone_forgets_until_it_is_deleted() -> None:
    until = forgotten("gone", hours=-2, expiresAt=at(-1))
    assert names(until, accepted("before", hours=-3)) == []


def test_labels_and_deletion_do_not_let_an_entry_in() -> None:
    other = accepted("other", scope="billing")
    going = body("going", decision="Accepted", decidedBy="ann")
    going["metadata"]["deletionTimestamp"] = at(0)
    read = entry(going)
    assert read is not None
    assert names(other, read) == []


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(None, id="nothing"),
        pytest.param({"metadata": {"name": "a"}, "spec": []}, id="list"),
        pytest.param({**body("a"), "metadata": {}}, id="nameless"),
        pytest.param(body("a", expiresAt="soon"), id="no-time"),
        pytest.param(body("a", value={"text": "x" * 4096}), id="too-large"),
        pytest.param(body("a", value={"n": 2**60}), id="no-i-json"),
        pytest.param(body("a", value=None), id="no-value"),
    ],
)
def test_what_cannot_be_read_is_no_entry(odd: Any) -> None:
    assert entry(odd) is None


def test_a_large_value_is_read_of_an_episode_only() -> None:
    assert entry(body("a", type="Episode", succeeded=True, value={"t": "x" * 8000})) is not None
    assert entry(body("a", value={"t": "x" * 8000})) is None


def test_an_odd_status_is_no_status() -> None:
    assert fact("a", status={"phase": "Odd"}).recorded is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"text": "Ships only\n to  Leipzig"}, "Ships only to Leipzig"),
        ({"text": "x" * 61}, "x" * 59 + "…"),
        ({"text": 1, "a": [True]}, '{"a":[true],"text":1}'),
        ({"text": "a\x1b[31mb\u202ec"}, "a [31mb c"),
        ({}, "{}"),
    ],
)
def test_the_beginning_is_one_line_of_60_characters(value: dict[str, Any], shown: str) -> None:
    assert beginning(value) == shown
