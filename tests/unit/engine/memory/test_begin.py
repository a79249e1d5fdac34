"""When a run takes the snapshot of its memory."""

from datetime import timedelta
from typing import Any

import pytest
from waypost.engine.state.decision import PutRecord

from tests.support.builders import NOW, SETTINGS, observed, python, spec
from tests.support.passes import decide, required_reads

KEY = ("triage", "k")
RUN = spec(python("a"), memory={"key": "k"})


def run(raw: Any = RUN, **fields: Any) -> Any:
    """A new run with the label of its workflow."""
    return observed(raw, workflow="triage", **fields)


@pytest.mark.parametrize(
    ("raw", "asked"),
    [
        pytest.param(RUN, {KEY}, id="S690-begins"),
        pytest.param({**RUN, "suspend": True}, set(), id="S690-suspended"),
        pytest.param({**RUN, "concurrency": {"key": "c"}}, set(), id="S690-no-slot"),
        pytest.param(spec(python("a")), set(), id="S690-no-memory"),
    ],
)
def test_memory_is_only_listed_for_a_run_that_begins(raw: Any, asked: set[Any]) -> None:
    assert required_reads(run(raw), NOW).memory == asked


@pytest.mark.parametrize(
    ("age", "taken"),
    [pytest.param(9, True, id="S694-fresh"), pytest.param(11, False, id="S694-old")],
)
def test_a_list_is_used_for_ten_seconds(age: int, taken: bool) -> None:
    """The key may have been forgotten since."""
    seen = run(memory={KEY: ()}, memory_at=NOW - timedelta(seconds=age))
    decision = decide(seen, NOW, SETTINGS)
    assert (decision.status.memory is not None) is taken
    assert any(isinstance(action, PutRecord) for action in decision.before) is taken
    assert (decision.status.nodes[0].phase == "Running") is taken
    assert taken or decision.requeue_at is not None
