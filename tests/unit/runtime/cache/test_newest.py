"""Facts in their newest state."""

from waypost.runtime.cache.newest import Newest


def test_only_a_newer_state_replaces_one() -> None:
    facts: Newest[str, str] = Newest()
    assert facts.put("a", "first", 5)
    assert not facts.put("a", "echo", 5)
    assert not facts.put("a", "older", 4)
    assert facts.put("a", "second", 6)
    assert dict(facts) == {"a": "second"}


def test_after_it_was_dropped_any_state_is_new() -> None:
    facts: Newest[str, str] = Newest()
    facts.put("a", "first", 5)
    facts.drop("a")
    facts.drop("never there")
    assert len(facts) == 0
    assert facts.put("a", "again", 4)


def test_which_states_a_list_may_contradict() -> None:
    facts: Newest[str, str] = Newest()
    for version, name in enumerate("abc"):
        facts.put(name, name, version)
    assert facts.as_old_as(1) == ["a", "b"]


def test_a_list_drops_what_it_covers_and_does_not_contain() -> None:
    facts: Newest[str, str] = Newest()
    for version, name in enumerate(("gone", "listed", "other", "newer")):
        facts.put(name, name, version)
    facts.retain({"listed"}, 2, lambda name: name != "other")
    assert list(facts) == ["listed", "other", "newer"]
