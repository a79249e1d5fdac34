"""S631: a report has a bounded size, and says what is not in it."""

import json

import pytest
from waypost.api.base import JsonObject
from waypost.views.documents import NodeIo, RunReport
from waypost.views.graph import run_graph
from waypost.views.models import TraceView
from waypost.views.related import Related
from waypost.views.run import report
from waypost.views.run.describe import run_view
from waypost.views.run.report import run_report

from tests.support.builders import NOW, python
from tests.unit.views.objects import at, body

NODES = ("a", "b", "c", "d", "e", "f", "g", "h")
TRACE = "too large for a report; see waypost trace"


def run() -> JsonObject:
    one = {"job": "j", "launchedAt": at(1), "startedAt": at(2), "reason": "NodeError"}
    tries = [{**one, "number": number, "traceRecord": "t"} for number in (1, 2)]
    nodes = [{"path": name, "phase": "Failed", "attempt": 2, "attempts": tries} for name in NODES]
    return body(*(python(name) for name in NODES), status={"nodes": nodes})


def made(*, entry: int = 10, value: int | None = None) -> RunReport:
    """A report whose traces have an entry of this size each, and values of this size."""
    found, entries = run(), [{"type": "tool", "start": at(2), "text": "x" * entry}]
    trace = TraceView(entries=entries)
    traces = {(name, number): trace for name in NODES for number in (1, 2)}
    shown = run_view(found, now=NOW, related=Related(traces=traces))
    about = NodeIo(name="n", namespace="d", path="", kind="python", phase="Succeeded")
    output = {"output": "y" * (value or 0), "has_output": True}
    values = [about.model_copy(update={"path": name, **output}) for name in NODES]
    given = None if value is None else values
    return run_report(found, shown, run_graph(shown, None), values=given, now=NOW)


def test_s631_a_small_run_is_whole() -> None:
    found = made(value=10)
    assert found.left_out == []
    assert list(found.values) == list(NODES)
    assert found.with_values
    assert all(
        len(one.trace.entries) == 1
        for node in found.run.nodes
        for one in node.attempts
        if one.trace
    )


def test_s631_values_that_nobody_asked_for() -> None:
    found = made()
    assert (found.with_values, found.values, found.left_out) == (False, {}, [])


def test_s631_traces_that_are_too_large() -> None:
    found = made(entry=report.TRACES // 5)
    kept = [
        (node.path, one.number)
        for node in found.run.nodes
        for one in node.attempts
        if one.trace and one.trace.entries
    ]
    assert kept == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    [note] = found.left_out
    assert note.startswith("model and tool calls of c, d, e, f, g, and 1 more nodes: " + TRACE)
    cut = found.run.nodes[-1].attempts[0].trace
    assert cut is not None
    assert cut.note == "1 entries are left out of this report, which would be too large"


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        pytest.param(report.VALUE, (), id="each-is-too-large"),
        pytest.param(report.VALUE - 1000, NODES, id="all-fit"),
    ],
)
def test_s631_values_that_are_too_large(size: int, kept: tuple[str, ...]) -> None:
    found = made(value=size)
    assert tuple(found.values) == kept
    assert bool(found.left_out) == (len(kept) < len(NODES))


def test_s631_all_values_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "VALUES", 3000)
    found = made(value=1000)
    assert tuple(found.values) == ("a", "b")
    assert found.left_out == [
        "inputs and output of c, d, e, f, g, and 1 more nodes: too large for a report; "
        f"see waypost io {found.run.name} NODE"
    ]
    assert len(json.dumps(found.to_json())) < 20_000
