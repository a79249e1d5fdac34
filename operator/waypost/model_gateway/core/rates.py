"""When calls of one provider may be sent: limits for all runs together, fair between them.

Pure: time comes in as `now`, in seconds that only increase. Grants are counted in an exact window,
so no minute has more than the limit, wherever it begins. The provider counts a call when it
arrives, which is between its grant and its answer; a call without an answer is assumed to arrive at
most ARRIVAL seconds after its grant.

Fairness is by runs (start-time fair queueing): each call has a tag, the tags of a run grow by the
size of its calls, and the call with the lowest tag is next. A run that begins to ask starts at the
tag that is served now: it does not wait behind the backlog of another run, and what it did not use
before gives it no advantage.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Final

# A minute, and half a second for clocks that differ.
WINDOW: Final = 60.5
ARRIVAL: Final = 5.0
LONGEST_PAUSE: Final = 600.0
_MOST_TAGS: Final = 1024


@dataclass(frozen=True)
class Limits:
    """What a provider allows; None is without a limit. `requests` and `tokens` are for a minute."""

    requests: int | None = None
    tokens: int | None = None
    concurrency: int | None = None

    def part(self, replicas: int) -> "Limits":
        """The part of one of several gateways, which together allow no more than the whole.

        At least 1 for each: a limit below the number of gateways cannot be divided.
        """

        def of(limit: int | None) -> int | None:
            return None if limit is None else max(limit // max(replicas, 1), 1)

        return Limits(of(self.requests), of(self.tokens), of(self.concurrency))


@dataclass(eq=False)
class Ticket:
    """One call that waits, or is on its way. `tokens`: how many it may use."""

    run: str
    tokens: int
    tag: float = 0.0
    number: int = 0
    arrived_at: float | None = None  # the latest moment at which the provider has counted it


@dataclass
class Rates:
    """The calls of one provider.

    Args:
        limits: They may change at any time.
        began_at: When the process began. What was sent in the minute before is not known, so
            limits for a minute count as used up until then.
    """

    limits: Limits
    began_at: float = -math.inf
    _waiting: list[Ticket] = field(default_factory=list)
    _sent: deque[Ticket] = field(default_factory=deque)  # that count, in the order of grants
    _open: set[Ticket] = field(default_factory=set)
    _tags: dict[str, float] = field(default_factory=dict)  # by run: the tag of its next call
    _served: float = 0.0  # the tag of the latest grant
    _paused_until: float = -math.inf
    _numbers: "count[int]" = field(default_factory=count)

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is on its way."""
        return not self._waiting and not self._open

    def is_unused(self, now: float) -> bool:
        """Whether nothing of it is needed any more."""
        self._forget(now)
        return self.idle and not self._sent and self._paused_until <= now

    def ask(self, ticket: Ticket) -> None:
        """Let a call wait."""
        ticket.tag = max(self._tags.get(ticket.run, 0.0), self._served)
        ticket.number = next(self._numbers)
        self._tags[ticket.run] = ticket.tag + self._size(ticket)
        self._waiting.append(ticket)

    def withdraw(self, ticket: Ticket) -> None:
        """A call waits no longer."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)

    def pause(self, seconds: float, now: float) -> None:
        """The provider asked all callers to wait."""
        self._paused_until = max(self._paused_until, now + min(seconds, LONGEST_PAUSE))

    def grants(self, now: float) -> list[Ticket]:
        """The calls that may be sent now; they count as sent."""
        self._forget(now)
        granted: list[Ticket] = []
        while self._waiting:
            ticket = min(self._waiting, key=lambda one: (one.tag, one.number))
            # The next one waits, and so do all behind it: a large call would never find room else.
            if self._free_at(ticket, now) > now:
                break
            self._waiting.remove(ticket)
            ticket.arrived_at = now + ARRIVAL
            self._served = ticket.tag
            self._sent.append(ticket)
            self._open.add(ticket)
            granted.append(ticket)
        return granted

    def arrived(self, ticket: Ticket, now: float) -> None:
        """The provider has begun to answer."""
        if ticket.arrived_at is not None:
            ticket.arrived_at = min(ticket.arrived_at, now)

    def release(self, ticket: Ticket, now: float, *, tokens: int | None = None) -> None:
        """A call has ended; `tokens` are those that it used, None if they are not known."""
        self.arrived(ticket, now)
        self._open.discard(ticket)
        if tokens is not None:
            ticket.tokens = tokens
        if self.idle:
            self._tags.clear()

    def next_at(self, now: float) -> float | None:
        """When the next call may be sent; None if none waits, or only for the end of others."""
        if not self._waiting:
            return None
        ticket = min(self._waiting, key=lambda one: (one.tag, one.number))
        at = self._free_at(ticket, now)
        return None if at == math.inf else at

    def _size(self, ticket: Ticket) -> float:
        """The part of the limits that a call takes."""
        requests, tokens = self.limits.requests, self.limits.tokens
        parts = [1 / requests if requests else 0.0, ticket.tokens / tokens if tokens else 0.0]
        return max(parts) or 1.0

    def _free_at(self, ticket: Ticket, now: float) -> float:
        """When there is room for a call: inf if that depends on the end of another one."""
        at = max(now, self._paused_until)
        if self.limits.concurrency is not None and len(self._open) >= self.limits.concurrency:
            return math.inf
        if self.limits.requests is not None:
            at = max(at, self.began_at + WINDOW)
            over = len(self._sent) + 1 - self.limits.requests
            if over > 0:
                # Those that were sent first leave first, or the others wait for them.
                at = max(at, *(self._leaves(one) for one in islice(self._sent, over)))
        if self.limits.tokens is not None:
            at = max(at, self.began_at + WINDOW, self._room_for(ticket.tokens, self.limits.tokens))
        return at

    def _room_for(self, tokens: int, limit: int) -> float:
        """When the window has room for so many tokens; a call above the limit is sent alone."""
        used = sum(one.tokens for one in self._sent)
        at = -math.inf
        for one in self._sent:
            if used + tokens <= limit or not used:
                break
            used -= one.tokens
            at = max(at, self._leaves(one))
        return at

    def _leaves(self, ticket: Ticket) -> float:
        assert ticket.arrived_at is not None
        return ticket.arrived_at + WINDOW

    def _forget(self, now: float) -> None:
        while self._sent and self._leaves(self._sent[0]) <= now:
            self._sent.popleft()
        if len(self._tags) > _MOST_TAGS:
            self._tags = {run: tag for run, tag in self._tags.items() if tag > self._served}
