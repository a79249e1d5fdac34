"""Facts in their newest state."""

from waypost.runtime.cache.newest import Newest


def test_only_a_newer_state_replaces_one() -> None:
    facts: Newest[str] = Newest()
    assert facts.put("a", "first", 5)
    assert not facts.put("a", "echo", 5)
    assert not facts.put("a", "older", 4)
    assert facts.put("a", "second", 6)
    assert dict(facts) == {"a": "second"}


def test_after_it_was_dropped_any_state_is_new() -> None:
    facts: Newest[str] = Newest()
    facts.put("a", "first", 5)
    facts.drop("a")
    facts.drop("never there")
    assert len(facts) == 0
    assert facts.put("a", "again", 4)


def test_which_states_a_list_may_contradict() -> None:
    facts: Newest[str] = Newest()
    for version, name in enumerate("abc"):
        facts.put(name, name, version)
    assert facts.as_old_as(1) == ["a", "b"]
