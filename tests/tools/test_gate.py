"""Which parts `scripts/test.sh` runs, in which order, and what it does when one fails; the steps of
`scripts/nightly.sh`.

The scripts are the real ones. What they start is a shell script that writes down its name.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).parents[2]

ALONE: Final = "2 end to end, alone"
PARTS: Final = {
    "1 without a cluster",
    "1b web interface",
    "1c chart",
    ALONE,
    "3 API server",
    "4 end to end",
}

# Fails where a file says so. Part 2 waits for a signal, and part 1 for part 2, where they must.
PYTEST: Final = f"""#!/bin/bash
echo "begin $WAYPOST_PART" >>calls
echo "asked $WAYPOST_PART: $*" >>calls
echo "modules $(printenv PYTHONDONTWRITEBYTECODE || echo kept) in $PYTHONPYCACHEPREFIX" >>calls
echo "output of $WAYPOST_PART"
if [ -f hang ] && [ "$WAYPOST_PART" = "{ALONE}" ]; then
    trap 'echo "ended $WAYPOST_PART" >>calls; exit 2' TERM
    touch alone.began
    while :; do sleep 0.01; done
fi
while [ -f hang ] && [ ! -f alone.began ]; do sleep 0.01; done
echo "end $WAYPOST_PART" >>calls
[ ! -f fails ] || [ "$(cat fails)" != "$WAYPOST_PART" ] || exit "$(cat code)"
"""
PYTHON: Final = """#!/bin/bash
echo "python $*" >>calls
[ ! -f fails ] || [ "$(cat fails)" != "$*" ] || { echo "output of $*"; exit 1; }
"""
# Tests with a marker, in a file and through the conftest of a folder, and one without.
FILES: Final = {
    "charts/test_rbac.py": "pytestmark = pytest.mark.chart",
    "crds/test_real.py": "@pytest.mark.real_api",
    "contract/conftest.py": "marks=pytest.mark.real_api",
    "contract/test_writes.py": "",
    "unit/test_words.py": "a chart of a real_api",
}


@dataclass(frozen=True)
class Gate:
    """A folder with the script, and what it called in the end."""

    root: Path

    def run(self, *arguments: str, fails: str = "", code: int = 1) -> tuple[int, str, list[str]]:
        """Exit code, output, calls."""
        if fails:
            (self.root / "fails").write_text(fails)
            (self.root / "code").write_text(str(code))
        done = subprocess.run(
            ["bash", "scripts/test.sh", *arguments],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, (self.root / "calls").read_text().splitlines()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name in ("test.sh", "cluster-env.sh"):
        shutil.copy(REPOSITORY / "scripts" / name, scripts)
    for name, text in FILES.items():
        file = tmp_path / "tests" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for name in ("check.sh", "ui.sh", "browser.sh"):
        _program(scripts / name, f"#!/bin/bash\necho {name} >>calls\n")
    _program(tmp_path / ".venv" / "bin" / "pytest", PYTEST)
    _program(tmp_path / ".venv" / "bin" / "python", PYTHON)
    return Gate(tmp_path)


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def begun(calls: list[str]) -> list[str]:
    """The parts, in the order in which they began."""
    return [call.removeprefix("begin ") for call in calls if call.startswith("begin ")]


def test_every_part_runs_once_and_what_needs_no_operator_after_what_kills_it(gate: Gate) -> None:
    code, shown, calls = gate.run("--check")
    assert code == 0, shown
    assert sorted(begun(calls)) == sorted(PARTS)
    assert "check.sh" in calls
    assert calls.index(f"end {ALONE}") < calls.index("begin 3 API server")
    assert calls.index("end 3 API server") < calls.index("begin 4 end to end")
    assert f"output of {ALONE}" in shown
    assert calls[-1] == "python -m tests.durations table"


def asked(calls: list[str], part: str) -> list[str]:
    """The files and folders that a part was asked for."""
    (found,) = [c.removeprefix(f"asked {part}: ") for c in calls if c.startswith(f"asked {part}:")]
    return [word for word in found.split() if word.startswith("tests")]


def test_a_part_imports_the_files_that_set_its_marker_alone(gate: Gate) -> None:
    _, _, calls = gate.run()
    assert asked(calls, "1 without a cluster") == ["tests"]
    assert asked(calls, "1c chart") == ["tests/charts/test_rbac.py"]
    assert asked(calls, "3 API server") == ["tests/contract", "tests/crds/test_real.py"]
    _, _, calls = gate.run("--only-cluster")
    every = ["tests/contract", "tests/crds/test_real.py", "tests/charts/test_rbac.py"]
    assert (
        asked(calls[calls.index("python -m tests.durations clear", 1) :], "3 API server") == every
    )


def test_no_process_compiles_what_another_has_compiled(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    _, _, calls = gate.run()
    kept = [call for call in calls if call.startswith("modules ")]
    assert kept == [f"modules kept in {gate.root}/build/pycache"] * len(PARTS)


def test_alone_begins_before_the_tests_without_a_cluster_have_ended(gate: Gate) -> None:
    (gate.root / "hang").touch()  # part 1 waits until part 2 has begun
    code, _, calls = gate.run(fails="1 without a cluster")
    assert code == 1
    assert calls.index(f"begin {ALONE}") < calls.index("end 1 without a cluster")
    assert f"ended {ALONE}" in calls, "nothing of the gate keeps running"
    assert begun(calls)[-1] != "3 API server"
    assert calls[-1] == "python -m tests.durations table"


def test_with_a_cluster_only(gate: Gate) -> None:
    code, shown, calls = gate.run("--only-cluster")
    assert code == 0, shown
    assert begun(calls) == [ALONE, "3 API server", "4 end to end"]


@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_that_fails_ends_the_gate_and_is_shown(gate: Gate, part: str) -> None:
    code, shown, calls = gate.run(fails=part)
    assert code == 1
    assert f"output of {part}" in shown
    assert all(later[0] <= part[0] or later == ALONE for later in begun(calls)), begun(calls)
    assert calls[-1] == "python -m tests.durations table"


@pytest.mark.parametrize("command", ["up", "images", "tools"])
def test_a_cluster_that_does_not_come_up_is_shown(gate: Gate, command: str) -> None:
    code, shown, calls = gate.run(fails=f"-m e2e.cluster {command}")
    assert code == 1
    assert f"output of -m e2e.cluster {command}" in shown
    assert "do:    repair the cause" in shown
    assert ALONE not in begun(calls)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(("-k", "one"), 0, id="somebody-chose-tests-and-none-is-in-this-part"),
        pytest.param((), 5, id="a-part-without-tests-is-an-error"),
    ],
)
@pytest.mark.parametrize("part", [ALONE, "3 API server"])
def test_no_test_chosen(gate: Gate, part: str, arguments: tuple[str, ...], expected: int) -> None:
    code, _, _ = gate.run(*arguments, fails=part, code=5)
    assert code == expected


def test_a_step_that_fails_has_its_row_in_the_table(gate: Gate) -> None:
    _program(gate.root / "scripts" / "check.sh", "#!/bin/bash\nexit 3\n")
    code, _, calls = gate.run("--check")
    assert code == 3
    assert any(call.startswith("python -m tests.durations step check ") for call in calls)


NIGHT: Final = 7


@pytest.fixture
def night(gate: Gate) -> Gate:
    """The same folder with the script of the night; `make` only writes down what was asked."""
    shutil.copy(REPOSITORY / "scripts" / "nightly.sh", gate.root / "scripts")
    _program(gate.root / "bin" / "make", "#!/bin/bash\necho make $* >>calls\n")
    return gate


def at_night(night: Gate, *steps: str, fails: str = "") -> tuple[int, list[str], list[str]]:
    """Exit code, rows of the table, calls."""
    if fails:
        (night.root / "fails").write_text(fails)
    done = subprocess.run(
        ["bash", "scripts/nightly.sh", *steps],
        cwd=night.root,
        env={**os.environ, "PATH": f"{night.root / 'bin'}:{os.environ['PATH']}"},
        check=False,
    )
    rows = (night.root / "build" / "nightly.txt").read_text().splitlines()[2:]
    return done.returncode, rows, (night.root / "calls").read_text().splitlines()


def test_every_step_of_the_night_runs(night: Gate) -> None:
    code, rows, calls = at_night(night)
    assert code == 0
    assert [row.split()[1:3] for row in rows] == [
        ["passed", f"{number}/{NIGHT}:"] for number in range(1, NIGHT + 1)
    ]
    assert [call for call in calls if call.startswith("make")] == [
        "make crashpoints",
        "make chaos RUNS=200 MINUTES=60",
        "make unit-313",
    ]


@pytest.mark.parametrize("command", ["-m tests.simulation seeded-bugs", "-m e2e.cluster up"])
def test_a_step_that_fails_does_not_stop_the_night(night: Gate, command: str) -> None:
    code, rows, _ = at_night(night, fails=command)
    assert code == 1
    assert len(rows) == NIGHT
    assert [row.split()[1] for row in rows].count("FAILED") == 1


def test_the_night_runs_what_the_gate_leaves_out(night: Gate) -> None:
    """Everything marked `nightly`: the gate excludes it from all of its parts."""
    _, _, calls = at_night(night)
    words = "(hypothesis or nightly) and not real_api"
    assert [c for c in calls if words in c and " tests " in c], "tests without a cluster"
    assert [c for c in calls if "e2e and nightly" in c], "tests on a cluster"
    _, _, calls = night.run()
    parts = [call for call in calls if call.startswith("asked ") and call.count(": ") == 1]
    left_out = [part for part in parts if "nightly" in part and "not nightly" in part]
    assert len(left_out) == len(PARTS) - 2, "all but the chart and the API server, which have none"


def test_steps_of_the_night_can_be_chosen(night: Gate) -> None:
    _, rows, calls = at_night(night, "2")
    assert len(rows) == 1
    assert calls == ["python -m tests.simulation seeded-bugs"]
