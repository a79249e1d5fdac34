"""SIGTERM, in a program that can end by itself and say what it has done so far."""

import signal
from collections.abc import Callable


class Stop:
    """From now on SIGTERM ends nothing by itself: it calls what is to end, once it is known.

    The process that passes it on (supervisor.py) kills a program that takes too long.
    """

    def __init__(self) -> None:
        self._end: Callable[[], None] | None = None
        self._came = False
        signal.signal(signal.SIGTERM, self._take)

    def ends(self, end: Callable[[], None] | None) -> None:
        """Have `end` called when SIGTERM comes, or at once if it has come; None for nothing."""
        self._end = end
        if end is not None and self._came:
            end()

    def _take(self, _number: int, _frame: object) -> None:
        self._came = True
        if self._end is not None:
            self._end()
