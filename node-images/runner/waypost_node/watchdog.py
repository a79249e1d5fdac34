"""Ends an attempt that is told to stop or takes too long, whatever its code is doing.

A thread, because Python runs signal handlers only between bytecodes of the main thread; the
wake-up descriptor is written by the C handler at once. As PID 1 the interpreter would ignore
SIGTERM altogether (correctness E4).
"""

import os
import select
import signal
import threading

from waypost.protocol.reasons import Reason

from waypost_node.verdict import Verdict

TERMINATED = 128 + signal.SIGTERM


def start(verdict: Verdict, *, timeout: float | None) -> None:
    """Watch from now on. On SIGTERM or after `timeout` seconds the record is written and the
    process ends."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(read, verdict, timeout), daemon=True).start()


def _watch(read: int, verdict: Verdict, timeout: float | None) -> None:
    import time

    ends = None if timeout is None else time.monotonic() + timeout
    while True:
        left = None if ends is None else max(ends - time.monotonic(), 0)
        ready, _, _ = select.select([read], [], [], left)
        if not ready:
            verdict.fail(Reason.TIMEOUT, f"ran longer than its timeout of {timeout:g} s")
            os._exit(1)
        if signal.SIGTERM in os.read(read, 64):
            verdict.fail(Reason.DISRUPTED, "stopped by SIGTERM")
            os._exit(TERMINATED)
