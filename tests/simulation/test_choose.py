"""How the pinned seeds are chosen and stored."""

from collections import Counter
from pathlib import Path

import pytest

from tests.simulation import choose, pinned
from tests.simulation.choose import Pairs, cover, pairs_of
from tests.simulation.drawing.scenarios import scenario
from tests.simulation.focused import choosing


def of(*names: str) -> Pairs:
    return frozenset(("kill", name) for name in names)


def test_what_adds_most_is_chosen_first() -> None:
    pairs = {1: of("a"), 2: of("a", "b", "c"), 3: of("c", "d"), 4: of("a", "b")}
    assert cover(pairs, size=2, covered=Counter()) == [2, 3]


def test_what_is_covered_already_counts_less() -> None:
    covered = Counter(dict.fromkeys(of("a", "b", "c"), 3))
    assert cover({1: of("a", "b", "c"), 2: of("d")}, size=1, covered=covered) == [2]


def test_the_gate_has_the_smallest_seed_of_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "cover", lambda plans: sorted(plans)[:2])
    monkeypatch.setattr(choosing, "size", lambda plan: {3: 50, 5: 40, 8: 70}[plan.seed])
    chosen = choose.for_gate({3: ["late"], 5: [], 8: ["late", "lost"]})
    assert chosen["main:late"] == [3]
    assert chosen["main:lost"] == [8]
    assert chosen["main"] == [3, 5]


def test_no_more_are_chosen_than_there_are() -> None:
    assert cover({5: of("a")}, size=9, covered=Counter()) == [5]


def test_a_seed_is_known_by_what_happened_in_it() -> None:
    stormy = next(seed for seed in range(100) if len(scenario(seed).troubles) > 4)
    pairs = pairs_of(stormy)
    assert len({trouble for trouble, _ in pairs}) >= 3
    for group in ("node ", "end ", "attempt "):
        assert any(event.startswith(group) for _, event in pairs)


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "seeds.txt"
    pinned.write({7: ["no-backoff", "a-bug"], 3: []}, path)
    assert pinned.read(path) == {3: (), 7: ("a-bug", "no-backoff")}
    assert pinned.catching("no-backoff", path) == [7]
    assert pinned.read(tmp_path / "none.txt") == {}
