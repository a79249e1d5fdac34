"""SIGTERM in a program that can end by itself and report its progress."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # python nodes import this module, and never asyncio
    from asyncio import AbstractEventLoop


class Stop:
    """Handles SIGTERM by calling a function instead of ending the process.

    The supervisor sends the signal, and kills a program that takes too long.
    """

    def __init__(self) -> None:
        self._end: Callable[[], None] | None = None
        self._arrived = False
        signal.signal(signal.SIGTERM, self._take)

    def ends(self, end: Callable[[], None] | None) -> None:
        """Call `end` when SIGTERM arrives, or now if it has arrived; None: call nothing."""
        self._end = end
        if end is not None and self._arrived:
            end()

    def _take(self, _number: int, _frame: object) -> None:
        self._arrived = True
        if self._end is not None:
            self._end()


@contextmanager
def woken_by_signals(loop: "AbstractEventLoop") -> Iterator[None]:
    """Let each signal wake `loop` while it waits. Does nothing outside of the main thread.

    Python calls a handler between two instructions of the main thread. If the signal arrives just
    before the loop begins to wait, the handler would run only when the loop wakes for another
    reason (the documentation of `signal.set_wakeup_fd`).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    loop.add_reader(reader, os.read, reader, 4096)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        loop.remove_reader(reader)
        os.close(reader)
        os.close(writer)
