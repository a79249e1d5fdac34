"""PID 1 of the pod: starts the program as a child, watches it, and writes the attempt's record.

The program is a process and not a thread, because
- a C call that keeps the interpreter lock (a runaway regular expression, 10 ** 10**8) stops all
  other threads, and with them timeouts and the response to SIGTERM;
- as PID 1 a program would ignore SIGTERM by default (E4) and would have
  to reap orphans; as a child it has the usual signals, and so do its own children.
Only this process writes the record, after the program has ended: once, in place, durably.
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
KEEP_GRACE: Final = 20.0  # seconds to store a finished result after SIGTERM
END_GRACE: Final = 8.0  # seconds for a program that ends itself, before it stores
_NEVER: Final = float("inf")
# Sent before the record when the work is done; JSON ignores leading blanks.
_WORK_IS_OVER: Final = b" "
_WATCHED: Final = frozenset({signal.SIGTERM, signal.SIGCHLD})


class Verdict(NamedTuple):
    """The record of a program, encoded, and whether it succeeded."""

    record: bytes
    succeeded: bool


# The argument: a function to call when the work is done and only storing remains.
Program = Callable[[Callable[[], None]], Verdict]


class _End(NamedTuple):
    """How the program ended: its exit code, and why it was stopped, if it was."""

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
    """Run `program` until it ends, SIGTERM arrives, or the timeout is over.

    After SIGTERM a program whose work is done has KEEP_GRACE seconds to store its result.

    Args:
        program: runs in a child process.
        attempt: the attempt, for a record that says why the program was stopped.
        output: path of the file for the record.
        timeout: seconds; None: no limit.
        ends_itself: pass SIGTERM on and give the program END_GRACE seconds to end its work.

    Returns:
        The exit code: 0 after a Succeeded record. A program that ends without a record (os._exit,
        a crash) leaves none; the exit code is then its own, 128 + N after signal N.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    results, sink = os.pipe()
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _become(program, sink)
    os.close(sink)
    # Non-blocking: a process that the program left behind may hold the pipe open.
    os.set_blocking(results, False)
    end = _wait(child, results, timeout, ends_itself)
    record = _received(results).strip(_WORK_IS_OVER)
    if not record and end.stopped:
        message = "stopped by SIGTERM"
        if end.stopped is Reason.TIMEOUT:
            message = f"ran longer than its timeout of {timeout:g} s"
        record = encode(CommitRecord(attempt, "Failed", None, end.stopped, message))
    if record:
        write(output, record)
    else:
        how = f"signal {end.code - 128}" if end.code > 128 else f"exit code {end.code}"
        print(f"waypost: the program ended with {how} and without a result", file=sys.stderr)
    return end.code


def _become(program: Program, sink: int) -> NoReturn:
    """In the child: run the program, send its record to the parent, and end with all threads."""
    code = 1
    try:
        os.setsid()
        me = os.getpid()

        def tell(text: bytes) -> None:
            if os.getpid() != me:
                os._exit(1)  # a fork of the program must not send a record
            # Below PIPE_BUF: written as a whole or not at all.
            os.write(sink, text)

        verdict = program(lambda: tell(_WORK_IS_OVER))
        tell(verdict.record)
        code = 0 if verdict.succeeded else 1
    finally:
        # Remaining threads must not keep a finished attempt alive.
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
            ends = keeps  # its work was done in time
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
    """The next signal; None if `ends` is reached first."""
    if ends == _NEVER:
        return signal.sigwaitinfo(_WATCHED).si_signo
    found = signal.sigtimedwait(_WATCHED, max(ends - time.monotonic(), 0))
    return None if found is None else found.si_signo


def _reap(child: int) -> int | None:
    """Reap ended processes, orphans included; the child's status if it has ended."""
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
    # Processes that the program left behind: the kernel kills them only if this process is PID 1.
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
    """Write an encoded record durably.

    Args:
        path: the termination message file.
        record: the encoded record.

    Raises:
        OSError: the file cannot be written.
    """
    # In place: the file is a bind mount, a rename onto it fails with EBUSY.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        os.write(descriptor, record)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
