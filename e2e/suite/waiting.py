"""Wait for something to become true: poll often, give up at a deadline, say what was seen."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.1
# `within` is for a machine that has nothing else to do; tests beside each other wait longer.
PATIENCE = float(os.environ.get("WAYPOST_PATIENCE", "2"))


def until(
    look: Callable[[], T | None],
    *,
    within: float,
    what: str,
    seen: Callable[[], object] | None = None,
    poll: float = POLL_SECONDS,
) -> T:
    """The first truthy value of `look`. Fails after PATIENCE times `within` seconds, quoting
    `seen`: it is no claim about how fast a machine is."""
    seconds = within * PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() >= deadline:
            last = f"; last seen:\n{seen()}" if seen else ""
            raise AssertionError(f"not within {seconds:.0f} s: {what}{last}")
        time.sleep(poll)
