"""Run other programs: output to a log, failures as a `ClusterError` with the end of that log."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from e2e.cluster.errors import ClusterError, tail

LOOK_SECONDS = 1.0


class Progress:
    """Lines with the time since the start, on standard error: standard output carries results.
    `steps` are the long steps that were taken, with their seconds, in the order of their ends."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.steps: list[tuple[str, float]] = []
        self._start = time.monotonic()
        self._quiet = quiet

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Note how long the block takes."""
        began = time.monotonic()
        yield
        self.steps.append((name, time.monotonic() - began))

    def say(self, text: str) -> None:
        if not self._quiet:
            elapsed = time.monotonic() - self._start
            print(f"[{elapsed:6.1f}s] {text}", file=sys.stderr, flush=True)


def output(
    argv: Sequence[str], *, timeout: float = 60, env: Mapping[str, str] | None = None
) -> str:
    """Return what a short command prints; its failure is an error that quotes the command."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=timeout, env=env, check=True
        )
    except subprocess.CalledProcessError as error:
        said = f"{error.stderr or ''}{error.stdout or ''}".strip()
        raise _failed(argv, f"exit code {error.returncode}: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(argv, str(error)) from error
    return done.stdout


def succeeds(argv: Sequence[str], *, timeout: float = 60) -> bool:
    """Tell whether a command exits with 0; a missing program or a time-out is a no."""
    try:
        done = subprocess.run(argv, capture_output=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def logged(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    do: str = "read the log, repair the cause, run the same command again",
    look: Callable[[Path], None] | None = None,
) -> None:
    """Run a long command with its output in `log`; on failure quote the end of the log. `look` is
    called with the log once a second meanwhile."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as stream:
        stream.write(f"$ {' '.join(argv)}\n")
        stream.flush()
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise _failed(argv, str(error)) from error
        code = _wait(child, look and (lambda: look(log)))
    if code != 0:
        found = f"exit code {code}; the end of {log}:\n{tail(log)}"
        raise ClusterError(f"run {_short(argv)}", found=found, do=do)


def _wait(child: subprocess.Popen[bytes], look: Callable[[], None] | None) -> int:
    """Wait for the end; an interruption ends the child's whole group before it continues."""
    try:
        while look is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(timeout=LOOK_SECONDS)
            look()
        return child.wait()
    except BaseException:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=3)
        raise


def which(program: str) -> str | None:
    """Find a program on PATH or in the system folders, which a user's PATH often lacks."""
    return shutil.which(program) or shutil.which(program, path="/usr/local/sbin:/usr/sbin:/sbin")


def _failed(argv: Sequence[str], found: str) -> ClusterError:
    return ClusterError(f"run {_short(argv)}", found=found, do="repair the cause and run again")


def _short(argv: Sequence[str]) -> str:
    text = " ".join(argv)
    return text if len(text) <= 160 else text[:157] + "..."
