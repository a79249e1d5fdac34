"""SIGTERM in a program that can end by itself and report its progress."""

import signal
from collections.abc import Callable


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
