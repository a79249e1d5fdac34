"""The clock of this machine."""

import time
from datetime import UTC, datetime


class SystemClock:
    """`ports.clock.Clock` of a running process."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
