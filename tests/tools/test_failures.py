"""A test that fails is named at once, whichever process ran it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEST = "def test_fails():\n    assert False\n"


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["without workers", "by a worker"])
def test_a_failed_test_is_named_before_the_summary(tmp_path: Path, workers: list[str]) -> None:
    (tmp_path / "test_one.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-p", "tests.failures", *workers, "test_one.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    before, named, _ = done.stdout.partition("call failed: test_one.py::test_fails")
    assert named, done.stdout + done.stderr
    assert "= FAILURES =" not in before
