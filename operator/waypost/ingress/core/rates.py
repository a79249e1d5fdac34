"""How many requests of a source are accepted: in a minute, and at the same time."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from waypost.ingress.core.refusals import Refused, Why

AT_ONCE: Final = 16  # requests of one source in progress
_MINUTE: Final = 60.0


@dataclass
class _Bucket:
    """Requests that may still come; it fills at the rate, up to a minute's worth."""

    left: float
    at: float
    open: int = 0


class Rates:
    """Counts the requests of each source, by its uid. The sender must be known before: a stranger
    cannot use up what a source has."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    @contextmanager
    def accepted(self, uid: str, *, per_minute: int, now: float) -> Iterator[None]:
        """Count a request while the block lasts.

        Args:
            uid: That of the source.
            per_minute: Its limit.
            now: Monotonic seconds.

        Raises:
            Refused: There were too many, with the time after which the next may come.
        """
        bucket = self._buckets.setdefault(uid, _Bucket(left=per_minute, at=now))
        filled = bucket.left + (now - bucket.at) * per_minute / _MINUTE
        bucket.left, bucket.at = min(filled, float(per_minute)), now
        if bucket.left < 1:
            wait = math.ceil((1 - bucket.left) * _MINUTE / per_minute)
            text = f"the source accepts {per_minute} requests in a minute (requestsPerMinute)"
            raise Refused(Why.RATE, text, again=max(wait, 1))
        if bucket.open >= AT_ONCE:
            text = f"{AT_ONCE} requests of this source are in progress"
            raise Refused(Why.RATE, text, again=1)
        bucket.left -= 1
        bucket.open += 1
        try:
            yield
        finally:
            bucket.open -= 1

    def forget_others(self, uids: set[str]) -> None:
        """Drop the counts of sources that no longer exist."""
        for uid in self._buckets.keys() - uids:
            if not self._buckets[uid].open:
                del self._buckets[uid]
