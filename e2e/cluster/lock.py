"""Mutual exclusion between two runs; the kernel drops the lock when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster.errors import ClusterError

POLL_SECONDS = 0.2


@contextmanager
def hold(path: Path, *, wait: float, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock file; tell once whom it waits for, give up after `wait` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not inherited by the programs started under it: a cluster must not hold the lock forever.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, path, wait, waiting)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, wait: float, waiting: Callable[[str], None]) -> None:
    deadline = time.monotonic() + wait
    reported = False
    while not _taken(descriptor):
        holder = os.pread(descriptor, 32, 0).decode(errors="replace") or "unknown"
        if time.monotonic() >= deadline:
            raise ClusterError(
                f"take the lock {path}",
                found=f"process {holder} has held it for {wait:.0f} s",
                do="wait for that run to end, or stop it, and run again",
            )
        if not reported:
            waiting(f"waiting for another run (process {holder})")
            reported = True
        time.sleep(POLL_SECONDS)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
