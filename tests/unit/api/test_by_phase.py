"""Statuses by phase: as a scan of all of them would find."""

from hypothesis import given, settings
from hypothesis import strategies as st
from waypost.api.status import NodeStatus
from waypost.api.wire.by_phase import Statuses

STEADY = settings(derandomize=True, database=None, max_examples=200, deadline=None)
PHASES = ("Pending", "Running", "Succeeded", "Failed")
PATH = st.sampled_from(["a", "b", "c", "a/0", "a/1"])
STEP = st.tuples(PATH, st.none() | st.sampled_from(PHASES))


def node(path: str, phase: str) -> NodeStatus:
    return NodeStatus.model_validate({"path": path, "phase": phase})


@STEADY
@given(st.lists(STEP, max_size=20))
def test_paths_are_found_by_the_phase_that_they_have(steps: list[tuple[str, str | None]]) -> None:
    statuses, plain = Statuses([node("a", "Pending")]), {"a": node("a", "Pending")}
    for path, phase in steps:
        if phase is not None:
            statuses[path] = plain[path] = node(path, phase)
        elif path in plain:
            del statuses[path], plain[path]
    assert statuses == plain
    for phases in ((one,) for one in PHASES):
        found = {path for path, status in plain.items() if status.phase in phases}
        assert set(statuses.paths_in(phases)) == found
    assert sorted(statuses.paths_in(PHASES)) == sorted(plain)
