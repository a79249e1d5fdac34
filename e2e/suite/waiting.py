"""Wait for something to become true: poll often, give up at a deadline, say what was seen."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.1


def until(
    look: Callable[[], T | None],
    *,
    within: float,
    what: str,
    seen: Callable[[], object] | None = None,
    poll: float = POLL_SECONDS,
) -> T:
    """The first truthy value of `look`. Fails after `within` seconds, quoting `seen`."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() >= deadline:
            last = f"; last seen:\n{seen()}" if seen else ""
            raise AssertionError(f"not within {within:.0f} s: {what}{last}")
        time.sleep(poll)
