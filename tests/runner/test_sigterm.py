"""Programs that end by themselves when SIGTERM is passed on to them, within their time."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from waypost_node.sigterm import Stop

from tests.runner.bench import ENDS_WITHIN

PROGRAM = """
import sys, time
from waypost.protocol.record import Attempt
from waypost_node import supervisor
from waypost_node.sigterm import Stop

output, keep, ends, works, keeps = sys.argv[1], *map(float, sys.argv[2:])
supervisor.KEEP_GRACE, supervisor.END_GRACE = keep, ends


def program(work_is_over):
    stop, asked = Stop(), []
    stop.ends(lambda: asked.append(True))
    print("up", flush=True)
    while not asked:
        time.sleep(0.01)
    time.sleep(works)
    work_is_over()
    time.sleep(keeps)
    return supervisor.Verdict(b'{"its": "own"}', succeeded=False)


whose = Attempt(run_uid="u", path="p", round=1, attempt=1, pod_uid="q")
sys.exit(
    supervisor.supervise(program, attempt=whose, output=output, timeout=None, ends_itself=True)
)
"""


@pytest.mark.parametrize(
    ("keep", "ends", "works", "keeps", "its_own"),
    [
        pytest.param(20, 8, 0, 0, True, id="at once"),
        pytest.param(20, 3, 0, 4, True, id="its work in time, and then it keeps"),
        pytest.param(20, 0.5, 9, 0, False, id="its work takes too long"),
        pytest.param(1, 0.5, 0, 9, False, id="keeping takes too long"),
    ],
)
def test_it_has_time_for_its_work_and_for_keeping(
    keep: float, ends: float, works: float, keeps: float, its_own: bool, tmp_path: Path
) -> None:
    output = tmp_path / "log"
    numbers = map(str, (keep, ends, works, keeps))
    argv = [sys.executable, "-c", PROGRAM, str(output), *numbers]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=ENDS_WITHIN)
    record = output.read_text()
    if its_own:
        assert (process.returncode, record) == (1, '{"its": "own"}')
    else:
        assert process.returncode == 128 + signal.SIGTERM
        assert "stopped by SIGTERM" in record


@pytest.fixture
def stop() -> Iterator[Stop]:
    before = signal.getsignal(signal.SIGTERM)
    yield Stop()
    signal.signal(signal.SIGTERM, before)


def test_a_signal_that_came_before_there_was_anything_to_end_counts(stop: Stop) -> None:
    ended: list[int] = []
    signal.raise_signal(signal.SIGTERM)
    stop.ends(lambda: ended.append(1))
    assert ended == [1]


def test_what_is_over_is_ended_no_more(stop: Stop) -> None:
    ended: list[int] = []
    stop.ends(lambda: ended.append(1))
    stop.ends(None)
    signal.raise_signal(signal.SIGTERM)
    assert ended == []
