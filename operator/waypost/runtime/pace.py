"""How fast the status of one run is written again and again, in bytes.

The API server stores the whole object at each write, and etcd keeps all of them until it is
compacted. So a run with a large status, such as that of a map of a thousand items, waits up to a
second between its passes: one write then records the ends of several items. A run with a small
status, or with few writes, never waits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from waypost.runtime.cache.runs import RunCache

BYTES_PER_SECOND: Final = 32 * 1024  # of one run, over time
BURST: Final = 128 * 1024  # bytes that are written without a wait
LONGEST: Final = 1.0  # seconds between two passes of a run


@dataclass
class _Account:
    """What a run may still write."""

    left: float
    counted_at: float


class Pace:
    """A token bucket of bytes for each run. Use it on one event loop only."""

    def __init__(self, *, store: RunCache, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._accounts: dict[str, _Account] = {}

    def written(self, uid: str) -> None:
        """Note that the cached state of a run was written by this operator."""
        now = self._monotonic()
        account = self._counted(uid, now)
        deficit = -BYTES_PER_SECOND * LONGEST
        account.left = max(account.left - self._store.size(uid), deficit)
        for other in [uid for uid, known in self._accounts.items() if _is_full(known, now)]:
            del self._accounts[other]

    def rest(self, uid: str) -> float:
        """Seconds until the next pass of a run may begin; 0 if it may now.

        A run whose spec has changed since its last pass, for example because it was cancelled, and
        one with an answered Approval, do not wait.
        """
        if uid not in self._accounts or self._store.take_urgent(uid):
            return 0.0
        return max(-self._counted(uid, self._monotonic()).left / BYTES_PER_SECOND, 0.0)

    def _counted(self, uid: str, now: float) -> _Account:
        account = self._accounts.setdefault(uid, _Account(BURST, now))
        grown = (now - account.counted_at) * BYTES_PER_SECOND
        account.left = min(account.left + grown, BURST)
        account.counted_at = now
        return account


def _is_full(account: _Account, now: float) -> bool:
    return account.left + (now - account.counted_at) * BYTES_PER_SECOND >= BURST
