"""PID 1: starts the program as its child, watches it, and writes the one record of the attempt.

A process and not a thread of the program, because
- a C call that keeps the interpreter lock (a runaway regular expression, 10 ** 10**8) stops every
  other thread, and with them a timeout and the answer to SIGTERM;
- as PID 1 a program would ignore SIGTERM by default (E4) and have orphans to reap;
  as a child it has the usual signals, for itself and for what it starts.
The record is written by this process alone, after the program is over: once, in place, durable.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn

from waypost.protocol.reasons import Reason
from waypost.protocol.record import LIMIT, Attempt, CommitRecord, encode

TERMINATED: Final = 128 + signal.SIGTERM
KEEP_GRACE: Final = 20.0  # seconds that a finished result may still take to be kept after SIGTERM
END_GRACE: Final = 8.0  # seconds that a program which ends itself has for that, before it keeps
_NEVER: Final = float("inf")
# Goes ahead of the record when the work is done; before JSON, blanks mean nothing.
_WORK_IS_OVER: Final = b" "
_WATCHED: Final = frozenset({signal.SIGTERM, signal.SIGCHLD})


class Verdict(NamedTuple):
    """A program's own record, encoded."""

    record: bytes
    succeeded: bool


# What a program is given: a function to call when its work is over and only keeping remains.
Program = Callable[[Callable[[], None]], Verdict]


class _End(NamedTuple):
    """How the program ended: its exit code, and the reason for which it was stopped, if any."""

    code: int
    stopped: Reason | None = None


def supervise(
    program: Program,
    *,
    attempt: Attempt,
    output: str,
    timeout: float | None,
    ends_itself: bool = False,
) -> int:
    """Run `program` until it ends, SIGTERM comes, or `timeout` seconds are over.

    A program whose work is over has KEEP_GRACE seconds after SIGTERM to keep its result. To one
    that `ends_itself` SIGTERM is passed on, and its work has END_GRACE seconds to be over.

    Its record goes to the file `output`, or one that says why it was stopped; the exit code is 0
    for a Succeeded record. A program that ends without a record (os._exit, a crash) leaves none:
    the exit code is then its own, 128 + N after signal N.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    results, sink = os.pipe()
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _become(program, sink)
    os.close(sink)
    # Not to its end: a process that the program left behind may hold the pipe open.
    os.set_blocking(results, False)
    end = _wait(child, results, timeout, ends_itself)
    record = _received(results).strip(_WORK_IS_OVER)
    if not record and end.stopped:
        told = "stopped by SIGTERM"
        if end.stopped is Reason.TIMEOUT:
            told = f"ran longer than its timeout of {timeout:g} s"
        record = encode(CommitRecord(attempt, "Failed", None, end.stopped, told))
    if record:
        write(output, record)
    else:
        told = f"signal {end.code - 128}" if end.code > 128 else f"exit code {end.code}"
        print(f"waypost: the program ended with {told} and gave no result", file=sys.stderr)
    return end.code


def _become(program: Program, sink: int) -> NoReturn:
    """In the child: run the program, hand its record over, and end with all its threads."""
    code = 1
    try:
        os.setsid()
        me = os.getpid()

        def tell(text: bytes) -> None:
            if os.getpid() != me:
                os._exit(1)  # a copy that the program forked and let run on has nothing to say
            # Below PIPE_BUF: arrives whole or not at all.
            os.write(sink, text)

        verdict = program(lambda: tell(_WORK_IS_OVER))
        tell(verdict.record)
        code = 0 if verdict.succeeded else 1
    finally:
        # Threads that were left behind must not keep a finished attempt alive.
        os._exit(code)


def _wait(child: int, results: int, timeout: float | None, ends_itself: bool) -> _End:
    over = _NEVER if timeout is None else time.monotonic() + timeout
    ends = keeps = over
    late = _End(1, Reason.TIMEOUT)
    asked = None
    while True:
        caught = _caught(ends)
        if caught is None:
            if ends == keeps or not _something_to_read(results):
                return _stop(child, late)
            ends = keeps  # its work was over in time
        elif caught == signal.SIGTERM and late.stopped is not Reason.DISRUPTED:
            late = _End(TERMINATED, Reason.DISRUPTED)
            ends = keeps = min(over, time.monotonic() + KEEP_GRACE)
            if not _something_to_read(results):
                if not ends_itself:
                    return _stop(child, late)
                os.kill(child, signal.SIGTERM)
                asked = Reason.DISRUPTED
                ends = min(over, time.monotonic() + END_GRACE)
        status = _reap(child)
        if status is not None:
            _kill_group(child)
            code = os.waitstatus_to_exitcode(status)
            return _End(code if code >= 0 else 128 - code, asked)


def _caught(ends: float) -> int | None:
    """The next signal; None when `ends` comes first."""
    if ends == _NEVER:
        return signal.sigwaitinfo(_WATCHED).si_signo
    found = signal.sigtimedwait(_WATCHED, max(ends - time.monotonic(), 0))
    return None if found is None else found.si_signo


def _reap(child: int) -> int | None:
    """Collect what has ended, orphans of the program too; the child's status if it has."""
    found = None
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if process == 0:
            return found
        if process == child:
            found = status


def _stop(child: int, end: _End) -> _End:
    os.kill(child, signal.SIGKILL)
    _kill_group(child)
    os.waitpid(child, 0)
    return end


def _kill_group(child: int) -> None:
    # What the program started and left: the kernel sees to it only where this process is PID 1.
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        return


def _something_to_read(results: int) -> bool:
    import select

    return bool(select.select([results], [], [], 0)[0])


def _received(results: int) -> bytes:
    try:
        return os.read(results, 2 * LIMIT)
    except BlockingIOError:
        return b""


def write(path: str, record: bytes) -> None:
    """Write a record, durably. Raises OSError."""
    # In place: the file is a bind mount, a rename onto it fails with EBUSY.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        os.write(descriptor, record)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
