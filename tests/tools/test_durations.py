"""The table of durations, and what workers of a run share."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests import durations, sharing


def test_a_part_is_seconds_by_folder_and_the_slowest(tmp_path: Path) -> None:
    path = tmp_path / "build" / "durations.json"
    tests = {"tests/a/test_x.py::one": 1.0, "tests/a/test_y.py::two[a/b]": 2.5, "e2e/t.py::z": 9.0}
    durations.add_part("first", took=7.04, tests=tests, path=path)
    [part] = durations.read(path)
    assert (part["name"], part["seconds"], part["tests"]) == ("first", 7.0, 3)
    assert part["folders"] == {"e2e": 9.0, "tests/a": 3.5}
    assert part["slowest"][0] == ["e2e/t.py::z", 9.0]


def test_a_part_that_ran_again_replaces_itself(tmp_path: Path) -> None:
    path = tmp_path / "durations.json"
    for took in (1.0, 2.0):
        durations.add_part("check", took=took, path=path)
    durations.add_part("cluster", took=3.0, path=path)
    assert [(p["name"], p["seconds"]) for p in durations.read(path)] == [
        ("check", 2.0),
        ("cluster", 3.0),
    ]


def test_the_table_names_parts_folders_and_tests() -> None:
    parts = [
        {"name": "check", "seconds": 60.0},
        {"name": "units", "seconds": 9.0, "folders": {"tests/a": 12.0}, "slowest": [["t::x", 8.0]]},
    ]
    shown = durations.table(parts)
    assert [line.split()[:2] for line in shown.splitlines() if line and line[0] == " "] == [
        ["60", "check"],
        ["9", "units"],
        ["12", "tests/a"],
        ["8.0", "t::x"],
    ]


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAYPOST_TEST_RUN", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("run_folder")
def test_once_is_once() -> None:
    done: list[str] = []
    assert not sharing.was_done("it")
    for _ in range(3):
        sharing.once("it", lambda: done.append("it"))
    assert done == ["it"]
    assert sharing.was_done("it")


@pytest.mark.usefixtures("run_folder")
def test_what_failed_is_done_by_the_next() -> None:
    done: list[str] = []

    def fails() -> None:
        raise OSError("no")

    with pytest.raises(OSError):
        sharing.once("it", fails)
    sharing.once("it", lambda: done.append("it"))
    assert done == ["it"]


@pytest.mark.usefixtures("run_folder")
def test_the_first_begins_and_the_last_ends() -> None:
    story: list[str] = []

    def begin() -> list[int]:
        story.append("begin")
        return [1]

    def held() -> AbstractContextManager[None]:
        return sharing.while_needed("it", begin, lambda kept: story.append(f"end {kept}"))

    with held(), held():
        story.append("both")
    assert story == ["begin", "both", "end [1]"]
    with held():
        story.append("again")
    assert story[3:] == ["begin", "again", "end [1]"]
