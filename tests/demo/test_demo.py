"""The demo's pure parts: what it shows of a run, and how it calls helm."""

from typing import Any

import pytest
import yaml

from e2e.demo import kube, run, screen, story, table
from e2e.demo.table import Row


def workflow(*nodes: dict[str, Any], **status: Any) -> dict[str, Any]:
    names = [{"name": name} for name in ("collect", "review", "publish")]
    began = {"startedAt": "2026-11-23T03:00:00.000Z"}
    return {"spec": {"nodes": names}, "status": {**began, "nodes": list(nodes), **status}}


COLLECT = {
    "path": "collect",
    "phase": "Succeeded",
    "attempt": 2,
    "startedAt": "2026-11-23T03:00:00.250Z",
    "finishedAt": "2026-11-23T03:02:05Z",
    "attempts": [
        {"number": 1, "startedAt": "2026-11-23T03:00:01Z", "finishedAt": "2026-11-23T03:00:01Z"},
        {"number": 2, "startedAt": "2026-11-23T03:02:01Z", "finishedAt": "2026-11-23T03:02:04Z"},
    ],
}
REVIEW = {"path": "review", "phase": "Waiting", "approval": "r-review-1-ab12", "attempt": 0}


def test_rows_follow_the_spec_and_count_from_the_start() -> None:
    assert table.rows(workflow(REVIEW, COLLECT)) == [
        Row("collect", "Succeeded", "2", "+0.2s", "3s", "+2m05s"),
        Row("review", "Waiting", note="approval/r-review-1-ab12"),
        Row("publish", "Pending"),
    ]


def test_run_without_status_is_all_pending() -> None:
    fresh = {"spec": {"nodes": [{"name": "a"}]}}
    assert table.rows(fresh) == [Row("a", "Pending")]
    assert table.approval_of(fresh) == ""
    assert table.condition(fresh, "Finished") == {}
    assert table.outputs_of(fresh) == []


def test_failure_shows_reason_and_first_line() -> None:
    failed = {"path": "collect", "phase": "Failed", "reason": "NodeError", "message": "Bad: x\ny"}
    (row, *_) = table.rows(workflow(failed))
    assert row.note == "NodeError: Bad: x"


def test_table_is_aligned_and_cut_to_the_width() -> None:
    lines = table.render([Row("a", "Running", note="x" * 200), Row("longer", "Pending")], width=60)
    assert [len(line) <= 60 for line in lines] == [True] * 3
    assert lines[1].endswith("…")
    assert lines[0].index("PHASE") == lines[1].index("Running") == lines[2].index("Pending")


def test_log_tells_only_what_changed() -> None:
    before = [Row("a", "Running"), Row("b", "Pending")]
    after = [Row("a", "Succeeded"), Row("b", "Pending"), Row("c", "Skipped", note="why")]
    reported = [line.split() for line in table.changes(before, after)]
    assert reported == [["a", "Succeeded"], ["c", "Skipped", "why"]]
    assert table.changes([], [Row("a", "Pending")]) == []


def test_long_outputs_are_cut() -> None:
    lines = table.outputs_of(workflow(outputs={"n": 1, "text": "ä" * 500}), longest=50)
    assert lines[0] == "n: 1"
    assert lines[1].endswith("… (502 characters)")


def test_install_takes_the_values_of_the_cluster() -> None:
    arguments = kube.install_arguments({"image.tag": "1", "gateway.clusterIP": "10.0.0.1"})
    assert "--set-string=image.tag=1" in arguments
    assert "--set-string=gateway.clusterIP=10.0.0.1" in arguments


def test_manifest_is_the_example_under_a_new_name() -> None:
    text, said = run.manifest(run.template(), "demo-1")
    manifest = yaml.safe_load(text)
    assert manifest["metadata"]["name"] == "demo-1"
    assert manifest["spec"]["inputs"]["commits"]
    assert "go in" in said or "goes in" in said


def test_verdict_claims_nothing_untrue() -> None:
    assert "nothing ran twice" in " ".join(story.verdict({"a": 1, "b": 1, "gate": 0}))
    reported = " ".join(story.verdict({"a": 1, "b": 2}))
    assert "b 2 times" in reported
    assert "nothing ran twice" not in reported


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        pytest.param("YES", "1", True, id="yes"),
        pytest.param("CI", "true", True, id="ci"),
        pytest.param("YES", "", True, id="no-terminal"),  # pytest captures both ends
    ],
)
def test_nobody_is_asked_where_nobody_is(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: bool
) -> None:
    monkeypatch.delenv("YES", raising=False)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv(variable, value)
    assert story.is_automatic() is expected


def test_times_of_steps_and_of_the_parts_of_the_first() -> None:
    titles = [("1/6 a cluster", 400.0), ("2/6 install", 9.04)]
    parts = [("Kubernetes, compiled from source", 361.7), ("image runner", 0.2)]
    assert [line.split() for line in story.times(titles, parts)] == [
        ["400.0", "s", "1/6", "a", "cluster"],
        ["361.7", "s", "Kubernetes,", "compiled", "from", "source"],
        ["9.0", "s", "2/6", "install"],
    ]


def test_a_step_ends_where_the_next_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([100.0, *[100.5] * 2, *[104.5] * 2, *[111.0] * 2])
    monkeypatch.setattr("e2e.demo.screen.time.monotonic", lambda: next(times))
    shown = screen.Screen()
    for title in ("one", "two", "three"):
        shown.title(title)
    assert shown.took() == [("one", 4.0), ("two", 6.5)]
    assert "[ 11.0s] three" in capsys.readouterr().out
