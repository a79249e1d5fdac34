"""How long a test run took: seconds by folder and the slowest tests, in `build/durations.json`.

A plugin of pytest. With workers only the process that hands out the tests writes. A gate has
several parts, each a run of pytest or another command: `WAYPOST_PART` names the part that pytest
writes, and `python -m tests.durations` adds the others and prints the table. Without it the file
tells of one run of pytest only.

python -m tests.durations clear
python -m tests.durations step NAME SECONDS
python -m tests.durations table
"""

import fcntl
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import pytest

PATH: Final = Path(__file__).parents[1] / "build" / "durations.json"
SLOWEST: Final = 30


class Durations:
    """Adds up what the tests of one run took: preparation, call and clean-up."""

    def __init__(self, part: str, path: Path = PATH) -> None:
        self._part = part
        self._path = path
        self._began = time.monotonic()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for each phase of each test, also of those that a worker ran."""
        self._seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        """Write the part."""
        if self._seconds:
            took = time.monotonic() - self._began
            add_part(self._part, took=took, tests=self._seconds, path=self._path)


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin where the reports of all workers arrive."""
    if not hasattr(config, "workerinput"):
        part = os.environ.get("WAYPOST_PART")
        if part is None:
            PATH.unlink(missing_ok=True)
        config.pluginmanager.register(Durations(part or "tests"), "waypost-durations")


def add_part(
    name: str, *, took: float, tests: dict[str, float] | None = None, path: Path = PATH
) -> None:
    """Add a part to the file, or replace it: `took` is what a clock showed, `tests` are the seconds
    of each test, which are more in sum when tests ran beside each other. Parts that run at the same
    time write one after the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _add(name, took=took, tests=tests or {}, path=path)


def _add(name: str, *, took: float, tests: dict[str, float], path: Path) -> None:
    parts = [part for part in read(path) if part["name"] != name]
    part: dict[str, Any] = {"name": name, "seconds": round(took, 1)}
    if tests:
        part["tests"] = len(tests)
        part["folders"] = {key: round(sum_, 1) for key, sum_ in _descending(_by_folder(tests))}
        part["slowest"] = [[test, round(each, 2)] for test, each in _descending(tests)[:SLOWEST]]
    path.write_text(json.dumps({"parts": [*parts, part]}, indent=1) + "\n", encoding="utf-8")


def read(path: Path = PATH) -> list[dict[str, Any]]:
    """The parts that are known, in the order in which they ended."""
    if not path.exists():
        return []
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["parts"]
    return found


def table(parts: list[dict[str, Any]]) -> str:
    """The parts, the folders and the slowest tests of all parts, in seconds."""
    folders: defaultdict[str, float] = defaultdict(float)
    for part in parts:
        for name, seconds in part.get("folders", {}).items():
            folders[name] += seconds
    slowest = {test: took for part in parts for test, took in part.get("slowest", [])}
    lines = ["seconds  part (by the clock)"]
    lines += [f"{part['seconds']:7.0f}  {part['name']}" for part in parts]
    lines += ["", "seconds  folder (sum of its tests)"]
    lines += [f"{took:7.0f}  {name}" for name, took in _descending(folders)]
    lines += ["", f"seconds  the {SLOWEST} slowest tests"]
    lines += [f"{took:7.1f}  {test}" for test, took in _descending(slowest)[:SLOWEST]]
    return "\n".join(lines)


def _by_folder(tests: dict[str, float]) -> dict[str, float]:
    folders: defaultdict[str, float] = defaultdict(float)
    for test, seconds in tests.items():
        folders[test.partition("::")[0].rpartition("/")[0]] += seconds
    return folders


def _descending(seconds: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda item: -item[1])


def main(words: list[str]) -> int:
    """One of the three commands above."""
    match words:
        case ["clear"]:
            PATH.unlink(missing_ok=True)
        case ["step", name, seconds]:
            add_part(name, took=float(seconds))
        case ["table"]:
            print(f"{table(read())}\n(also in {PATH.relative_to(PATH.parents[1])})")
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
