"""Python's garbage collector, so that it does not hold the event loop.

A full collection visits every object of the process without letting another thread run: some
80 ms after the imports of the operator, and more with each run that it keeps in memory. Objects of
JSON are in no cycles and are freed without it. So what has survived a long collection is frozen:
later collections do not visit it.
"""

import contextlib
import gc
import time
from collections.abc import Iterator
from typing import Final

LONG_SECONDS: Final = 0.03  # of processor time for one full collection


class _Watch:
    """Called by the collector before and after each collection."""

    def __init__(self) -> None:
        self._began = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] < 2:
            return
        if phase == "start":
            self._began = time.thread_time()
        elif time.thread_time() - self._began > LONG_SECONDS:
            gc.freeze()


_WATCH: Final = _Watch()


def begin() -> None:
    """Freeze what the process has loaded, and from now on what survives a long collection."""
    gc.collect()
    gc.freeze()
    if _WATCH not in gc.callbacks:
        gc.callbacks.append(_WATCH)


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Collect nothing while the block makes many objects that are in no cycles. Not reentrant."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
