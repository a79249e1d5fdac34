"""What survives a long collection of garbage is not visited again."""

import gc
from collections.abc import Iterator

import pytest
from waypost.adapters import collector


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    before = list(gc.callbacks)
    yield
    gc.callbacks[:] = before
    gc.unfreeze()
    assert gc.isenabled()


def visited(objects: list[object]) -> int:
    """How many of them the collector visits; what is frozen is in none of its generations."""
    in_a_generation = {id(one) for one in gc.get_objects()}
    return sum(id(one) in in_a_generation for one in objects)


def test_what_is_loaded_is_frozen() -> None:
    collector.begin()
    assert gc.get_freeze_count() > 10_000
    collector.begin()
    assert sum(one is collector._WATCH for one in gc.callbacks) == 1


@pytest.mark.parametrize(
    ("seconds", "frozen"),
    [pytest.param(-1.0, True, id="long"), pytest.param(1000.0, False, id="short")],
)
def test_what_survives_a_long_collection_is_frozen(
    seconds: float, frozen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector.begin()
    monkeypatch.setattr(collector, "LONG_SECONDS", seconds)
    kept: list[object] = [[] for _ in range(5000)]
    gc.collect(1)
    assert visited(kept) == len(kept), "a collection of young objects visits few"
    gc.collect()
    assert visited(kept) == (0 if frozen else len(kept))


def test_nothing_is_collected_while_json_is_made() -> None:
    with collector.paused():
        inside = gc.isenabled()
    assert not inside
    assert gc.isenabled()
