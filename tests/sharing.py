"""What the workers of one test run share: things that are done once, and things that are held while
any of them needs them.

`pytest -n 3` makes a process for each worker, so a session fixture is made three times. The process
that pytest was started as makes a folder for the run, and locks in it keep the workers apart.
Without workers all of it works alike.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

_VARIABLE: Final = "WAYPOST_TEST_RUN"


def is_worker(config: pytest.Config) -> bool:
    """Whether this process only runs tests that another hands out."""
    return hasattr(config, "workerinput")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Make the folder of the run; workers find it in their environment."""
    if not is_worker(config):
        os.environ[_VARIABLE] = tempfile.mkdtemp(prefix="waypost-tests-")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it."""
    if not is_worker(config):
        shutil.rmtree(folder(), ignore_errors=True)


def folder() -> Path:
    """The folder of this run."""
    return Path(os.environ[_VARIABLE])


def once(name: str, action: Callable[[], object]) -> None:
    """Do it in the first worker that comes here; the others wait until it is done. When it fails
    the next worker tries again."""
    with _locked(name):
        done = folder() / f"{name}.done"
        if not done.exists():
            action()
            done.touch()


def was_done(name: str) -> bool:
    """Whether a worker of this run did it."""
    return (folder() / f"{name}.done").exists()


@contextmanager
def while_needed(
    name: str, begin: Callable[[], Any], end: Callable[[Any], object]
) -> Iterator[None]:
    """The first that comes begins it, the last that goes ends it with what `begin` returned, which
    must be JSON."""
    state = folder() / f"{name}.json"
    with _locked(name):
        known = json.loads(state.read_text()) if state.exists() else None
        if known is None:
            known = {"users": 0, "kept": begin()}
        state.write_text(json.dumps({**known, "users": known["users"] + 1}))
    try:
        yield
    finally:
        with _locked(name):
            known = json.loads(state.read_text())
            if known["users"] == 1:
                state.unlink()
                end(known["kept"])
            else:
                state.write_text(json.dumps({**known, "users": known["users"] - 1}))


@contextmanager
def _locked(name: str) -> Iterator[None]:
    with (folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
