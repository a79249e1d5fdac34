"""What is due at one sink, and what it has got. Pure: time comes in as `now`, seconds since 1970.

A record says what was delivered: everything up to a time, but for what is open, and the ids that
were delivered after it. The time stays an hour behind what the notifier has seen, so an object that
it sees late still counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from waypost.notifier.core.occurrences import QUESTIONS, Occurrence

LAG_SECONDS: Final = 3600.0  # how late an occurrence may be seen
GIVEN_UP_SECONDS: Final = 24 * 3600.0
MOST_OPEN: Final = 500
MOST_DELIVERED: Final = 1000
_FIRST_WAIT: Final = 5.0
_LONGEST_WAIT: Final = 600.0
_LONGEST_ASKED: Final = 3600.0  # that a Retry-After counts
_MOST_DOUBLED: Final = 10


@dataclass(frozen=True)
class Record:
    """What a restart needs of one sink.

    Attributes:
        until: What occurred up to this time is delivered or given up, but for `open`.
        delivered: What occurred later and is delivered or given up: when it occurred, by id.
        open: What was tried, or is older than `until`, and is not delivered: since when, by id.
    """

    until: float
    delivered: Mapping[str, float] = field(default_factory=dict)
    open: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Pending:
    """An occurrence that is not delivered.

    Attributes:
        occurrence: What has occurred.
        since: When it was due for the first time.
        next: When it is due.
        tries: How often this process has tried.
    """

    occurrence: Occurrence
    since: float
    next: float
    tries: int = 0


class Ledger:
    """The deliveries of one sink."""

    def __init__(self, record: Record) -> None:
        self._until = record.until
        self._delivered = dict(record.delivered)
        self._known_open = dict(record.open)  # of an earlier process, and not seen yet
        self._pending: dict[str, Pending] = {}
        self._failures = 0  # in a row, of the sink and not of a message
        self._paused = 0.0

    def due(self, now: float) -> int:
        """How many occurrences are not delivered."""
        return len(self._due(now))

    def oldest(self, now: float) -> float:
        """Seconds since the oldest of them was due; 0 without one."""
        return max((now - one.since for one in self._due(now)), default=0.0)

    def offer(self, one: Occurrence, *, now: float) -> list[Occurrence]:
        """Take note of an occurrence, if it is not delivered and not known.

        Returns:
            What is given up because too much is open.
        """
        opened = self._known_open.get(one.id)
        late = one.at <= self._until and opened is None
        if late or one.id in self._delivered or one.id in self._pending:
            return []
        self._known_open.pop(one.id, None)
        since = opened if opened is not None else max(now, one.at)
        self._pending[one.id] = Pending(one, since, next=max(now, one.at))
        return self._give_up(now, float("inf"))

    def withdraw(self, uid: str, *, now: float) -> list[Occurrence]:
        """An Approval has been answered or deleted: its questions are not sent any more.

        Returns:
            Those that were due.
        """
        found = [
            pending
            for pending in self._pending.values()
            if pending.occurrence.uid == uid and pending.occurrence.type in QUESTIONS
        ]
        for pending in found:
            del self._pending[pending.occurrence.id]
        return [pending.occurrence for pending in found if pending.since <= now]

    def forget_unseen(self) -> None:
        """All objects were seen: what an earlier process left open and none of them has is over."""
        self._known_open.clear()

    def next(self, now: float) -> Pending | None:
        """What to send now: what was tried least, then the oldest. None: wait."""
        if now < self._paused:
            return None
        due = [pending for pending in self._pending.values() if pending.next <= now]
        return min(due, key=lambda one: (one.tries, one.since, one.occurrence.id), default=None)

    def wakes(self) -> float | None:
        """When the next one is due; None if nothing is pending."""
        first = min((pending.next for pending in self._pending.values()), default=None)
        return None if first is None else max(first, self._paused)

    def succeeded(self, id_: str) -> None:
        """A message was delivered."""
        self._failures, self._paused = 0, 0.0
        if id_ in self._pending:
            self._close(self._pending[id_])

    def failed(
        self, id_: str, *, now: float, down: bool, retry_after: float | None
    ) -> list[Occurrence]:
        """A message was not delivered.

        Args:
            id_: Its id.
            now: The time.
            down: Whether the sink serves nobody now: it cannot be reached, fails, or asks to wait.
                Else it refused this message.
            retry_after: Seconds that it asks to wait, if it does.

        Returns:
            What is given up: all that has been due for a day.
        """
        if (pending := self._pending.get(id_)) is not None:
            tries = pending.tries + 1
            self._pending[id_] = replace(pending, tries=tries, next=now + _wait(tries))
        if down:
            self._failures += 1
            asked = min(retry_after or 0.0, _LONGEST_ASKED)
            self._paused = now + max(_wait(self._failures), asked)
        return self._give_up(now, GIVEN_UP_SECONDS)

    def record(self, *, seen: float) -> Record:
        """What to keep.

        Args:
            seen: All objects of all kinds were seen at this time or later.
        """
        self._until = max(self._until, seen - LAG_SECONDS)
        kept = sorted(self._delivered.items(), key=lambda entry: entry[1])
        if len(kept) > MOST_DELIVERED:
            self._until = max(self._until, min(kept[-MOST_DELIVERED - 1][1], seen))
        newest = kept[-MOST_DELIVERED:]
        self._delivered = {id_: at for id_, at in newest if at > self._until}
        open_ = {
            id_: pending.since
            for id_, pending in self._pending.items()
            if pending.tries or pending.occurrence.at <= self._until
        }
        return Record(self._until, dict(self._delivered), {**self._known_open, **open_})

    def _due(self, now: float) -> list[Pending]:
        return [one for one in self._pending.values() if one.since <= now]

    def _give_up(self, now: float, seconds: float) -> list[Occurrence]:
        """Give up what has been due for so long, and the oldest of what is too much."""
        due = sorted(self._due(now), key=lambda one: (one.since, one.occurrence.at))
        excess = max(0, len(due) - MOST_OPEN)
        over = [one for n, one in enumerate(due) if n < excess or now - one.since >= seconds]
        return [self._close(one) for one in over]

    def _close(self, pending: Pending) -> Occurrence:
        one = pending.occurrence
        del self._pending[one.id]
        if one.at > self._until:
            self._delivered[one.id] = one.at
        return one


def _wait(tries: int) -> float:
    return min(_FIRST_WAIT * 2.0 ** min(tries - 1, _MOST_DOUBLED), _LONGEST_WAIT)
