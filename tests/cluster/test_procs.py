"""A recycled pid is never taken for the process that was recorded."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.cluster import procs
from e2e.cluster.procs import Identity, Record

BOOT = "11111111-2222-3333-4444-555555555555"


def fake_proc(folder: Path, pid: int, *, name: str = "etcd", state: str = "S") -> Path:
    fields = [state, *("0" for _ in range(18)), "777", "0"]
    (folder / str(pid)).mkdir(parents=True)
    (folder / str(pid) / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}")
    boot = folder / "sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True, exist_ok=True)
    boot.write_text(BOOT + "\n")
    return folder


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("name", ["etcd", "a b", "a) S 1 (b", "((", ")"])
def test_identity_survives_any_command_name(name: str, tmp_path: Path) -> None:
    proc = fake_proc(tmp_path, 41, name=name)
    assert procs.identify(41, proc=proc) == Identity(pid=41, started=777, boot=BOOT)


@pytest.mark.parametrize("state", ["Z", "X"])
def test_zombies_are_dead(state: str, tmp_path: Path) -> None:
    assert procs.identify(41, proc=fake_proc(tmp_path, 41, state=state)) is None


def test_nobody_has_no_identity(tmp_path: Path) -> None:
    assert procs.identify(41, proc=tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda one: replace(one, started=1), id="same-pid-started-later"),
        pytest.param(lambda one: replace(one, boot="another"), id="same-pid-after-a-reboot"),
    ],
)
def test_recycled_pid_is_not_alive_and_not_killed(
    change: Callable[[Identity], Identity], sleeper: subprocess.Popen[bytes]
) -> None:
    actual = procs.identify(sleeper.pid)
    assert actual is not None
    recorded = change(actual)
    assert not procs.is_alive(recorded)
    assert procs.stop([recorded], grace=0) == []
    assert procs.is_alive(actual), "a stranger with a recycled pid must not be signalled"


def test_stop_ends_the_recorded_process(sleeper: subprocess.Popen[bytes]) -> None:
    actual = procs.identify(sleeper.pid)
    assert actual is not None
    assert procs.stop([actual], grace=5) == []
    assert not procs.is_alive(actual)


def test_stop_kills_what_ignores_the_request() -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{stubborn}; signal.pause()"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        identity = procs.identify(process.pid)
        assert identity is not None
        assert procs.stop([identity], grace=0.1) == []


def test_spawned_process_is_in_a_session_of_its_own(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "x.log"
    script = "import os, time; print(os.getsid(0) == os.getpid(), flush=True); time.sleep(60)"
    identity = procs.spawn([sys.executable, "-c", script], log=log, env={})
    assert identity is not None
    deadline = time.monotonic() + 60
    while not log.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert log.read_text() == "True\n"
    assert procs.stop([identity], grace=1) == []


def test_matching_asks_about_every_process_but_this(sleeper: subprocess.Popen[bytes]) -> None:
    found = [one.pid for one in procs.matching(lambda folder: folder.name == str(sleeper.pid))]
    assert found == [sleeper.pid]


def test_matching_skips_what_vanishes_while_it_looks(tmp_path: Path) -> None:
    def gone(folder: Path) -> bool:
        raise FileNotFoundError(folder)

    assert list(procs.matching(gone, proc=fake_proc(tmp_path, 41))) == []


def test_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Record(Identity(pid=3, started=4, boot=BOOT), digest="d")
    procs.save(tmp_path / "pids" / "etcd.json", record)
    assert procs.load(tmp_path / "pids" / "etcd.json") == record


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"identity": {}}', '{"digest": "x"}'])
def test_damaged_record_says_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "etcd.json").write_text(text)
    assert procs.load(tmp_path / "etcd.json") is None
