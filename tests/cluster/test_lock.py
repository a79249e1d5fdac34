"""Two runs take turns, and a dead one is in nobody's way."""

import subprocess
import sys
from pathlib import Path

import pytest

from e2e.cluster import lock
from e2e.cluster.errors import ClusterError

HOLDER = """
import sys, time
from pathlib import Path
from e2e.cluster import lock
with lock.hold(Path(sys.argv[1]), wait=0, waiting=print):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(path: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", HOLDER, str(path)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_second_run_is_told_whom_it_waits_for(tmp_path: Path) -> None:
    reported: list[str] = []
    with holder(tmp_path / "a.lock") as first:
        with (
            pytest.raises(ClusterError, match="take the lock") as caught,
            lock.hold(tmp_path / "a.lock", wait=0.3, waiting=reported.append),
        ):
            pass
        first.kill()
    assert reported == [f"waiting for another run (process {first.pid})"]
    assert str(first.pid) in caught.value.found


def test_lock_of_a_killed_run_is_free(tmp_path: Path) -> None:
    with holder(tmp_path / "a.lock") as first:
        first.kill()
    with lock.hold(tmp_path / "a.lock", wait=5, waiting=print):
        pass


def test_started_programs_do_not_inherit_the_lock(tmp_path: Path) -> None:
    with lock.hold(tmp_path / "a.lock", wait=0, waiting=print):
        survivor = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with survivor:
        with lock.hold(tmp_path / "a.lock", wait=0, waiting=print):
            pass
        survivor.kill()
