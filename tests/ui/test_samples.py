"""The samples are what an operator would leave: the spec compiles, each document can be made."""

from datetime import UTC, datetime

from waypost.compiler.definition import define
from waypost.views.graph import run_graph
from waypost.views.run.describe import run_view

from tests.ui import samples


def test_the_sample_run_is_valid() -> None:
    run = samples.triage()
    definition = define(run["spec"])
    assert [str(problem) for problem in definition.problems] == []
    shown = run_view(run, now=datetime.now(UTC))
    assert len(run_graph(shown, definition).edges) >= 7
    assert [one.what for one in shown.obstacles] == ["approval"]
