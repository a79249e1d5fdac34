"""The limits of a provider for all runs together, in virtual time."""

import heapq
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import count

import pytest
from waypost.model_gateway.core.rates import ARRIVAL, LONGEST_PAUSE, WINDOW, Limits, Rates, Ticket
from waypost.model_gateway.pacing import MOST_WAIT

MINUTE = 60.0
LATEST = WINDOW + ARRIVAL  # when a call without an answer counts no longer


def asked(rates: Rates, *runs: str, tokens: int = 10) -> list[Ticket]:
    made = [Ticket(run, tokens) for run in runs]
    for ticket in made:
        rates.ask(ticket)
    return made


def names(granted: list[Ticket]) -> str:
    return "".join(ticket.run for ticket in granted)


@pytest.mark.parametrize(
    ("limits", "runs", "tokens", "now", "later"),
    [
        pytest.param(Limits(), "aaaa", 10, "aaaa", None, id="no-limit"),
        pytest.param(Limits(requests=2), "aaa", 10, "aa", LATEST, id="requests"),
        pytest.param(Limits(tokens=25), "aaa", 10, "aa", LATEST, id="tokens"),
        pytest.param(Limits(tokens=5), "aa", 10, "a", LATEST, id="larger-than-the-limit"),
        pytest.param(Limits(concurrency=2), "aaa", 10, "aa", None, id="at-once"),
        pytest.param(Limits(requests=4), "aaaabb", 10, "aabb", LATEST, id="fair-between-runs"),
        pytest.param(Limits(requests=3), "aaaabc", 10, "abc", LATEST, id="each-run-once-first"),
    ],
)
def test_what_may_be_sent_now(
    limits: Limits, runs: str, tokens: int, now: str, later: float | None
) -> None:
    """S495: `later` is when the next call may be sent, without the end of another one."""
    rates = Rates(limits)
    asked(rates, *runs, tokens=tokens)
    granted = rates.grants(0.0)
    assert "".join(sorted(names(granted))) == now
    assert rates.next_at(0.0) == later
    if later is not None:
        assert rates.grants(later - 0.001) == []
        assert rates.grants(later)


def test_the_end_of_a_call_makes_room() -> None:
    """S495"""
    rates = Rates(Limits(concurrency=1))
    asked(rates, "a", "b")
    [first] = rates.grants(0.0)
    assert rates.grants(1.0) == []
    rates.release(first, 1.0)
    assert names(rates.grants(1.0)) == "b"


def test_what_a_call_used_counts_in_place_of_its_estimate() -> None:
    """S495"""
    rates = Rates(Limits(tokens=100))
    asked(rates, "a", tokens=90)
    [first] = rates.grants(0.0)
    asked(rates, "b", tokens=90)
    assert rates.grants(1.0) == []
    rates.release(first, 1.0, tokens=5)
    assert names(rates.grants(1.0)) == "b"


@pytest.mark.parametrize(
    ("answered", "free"),
    [
        pytest.param(0.2, 0.2 + WINDOW, id="an-answer-says-when-at-the-latest"),
        pytest.param(30.0, LATEST, id="a-slow-answer"),
        pytest.param(None, LATEST, id="none"),
    ],
)
def test_when_a_call_counts_no_longer(answered: float | None, free: float) -> None:
    """S495: the provider counts it when it arrives, which is before its answer."""
    rates = Rates(Limits(requests=1))
    asked(rates, "a", "b")
    [first] = rates.grants(0.0)
    if answered is not None:
        rates.arrived(first, answered)
    assert rates.next_at(1.0) == free


def test_a_large_call_finds_room() -> None:
    """S495: small calls that come later do not pass it without end."""
    rates = Rates(Limits(tokens=100))
    asked(rates, *"abcde", tokens=20)
    rates.grants(0.0)
    asked(rates, "L", tokens=100)
    asked(rates, *"fghij", tokens=1)
    assert rates.grants(30.0) == []
    assert names(rates.grants(LATEST)).startswith("L")


def test_a_run_that_begins_late_is_not_behind_the_backlog_of_another() -> None:
    """S495"""
    rates = Rates(Limits(requests=1))
    asked(rates, *"aaaaaaaaaa")
    assert names(rates.grants(0.0)) == "a"
    asked(rates, "b")
    assert "b" in names(rates.grants(LATEST) + rates.grants(2 * LATEST))


def test_a_pause_holds_for_all_and_has_a_limit() -> None:
    """S496"""
    rates = Rates(Limits())
    rates.pause(20.0, 0.0)
    rates.pause(5.0, 0.0)
    asked(rates, "a", "b")
    assert rates.grants(19.9) == []
    assert rates.next_at(0.0) == 20.0
    assert names(rates.grants(20.0)) == "ab"
    rates.pause(1e9, 100.0)
    asked(rates, "c")
    assert rates.next_at(100.0) == 100.0 + LONGEST_PAUSE


def test_a_process_that_has_begun_knows_nothing_of_the_minute_before() -> None:
    """S495"""
    rates = Rates(Limits(requests=60), began_at=1000.0)
    asked(rates, "a")
    assert rates.grants(1001.0) == []
    assert names(rates.grants(1000.0 + WINDOW)) == "a"
    free = Rates(Limits(concurrency=1), began_at=1000.0)
    asked(free, "a")
    assert names(free.grants(1001.0)) == "a", "only limits for a minute are affected"


def test_what_is_withdrawn_is_not_sent() -> None:
    """S495"""
    rates = Rates(Limits(requests=1))
    asked(rates, "a")
    rates.grants(0.0)
    [gone, _] = asked(rates, "b", "c")
    rates.withdraw(gone)
    assert names(rates.grants(LATEST)) == "c"


@pytest.mark.parametrize(
    ("limits", "replicas", "part"),
    [
        (Limits(60, 9000, 5), 2, Limits(30, 4500, 2)),
        (Limits(1, None, 1), 3, Limits(1, None, 1)),
        (Limits(), 2, Limits()),
    ],
)
def test_the_part_of_one_of_several_gateways(limits: Limits, replicas: int, part: Limits) -> None:
    """S495"""
    assert limits.part(replicas) == part


# --- many agents -------------------------------------------------------------------------------


@dataclass
class Strict:
    """A provider that counts the calls of each minute, and answers 429 to one too many."""

    limit: int
    refused: int = 0
    arrived: deque[float] = field(default_factory=deque)

    def call(self, at: float) -> None:
        while self.arrived and self.arrived[0] <= at - MINUTE:
            self.arrived.popleft()
        self.arrived.append(at)
        self.refused += len(self.arrived) > self.limit


class Crowd:
    """Agents that make calls one after the other, and think for a moment between them."""

    def __init__(self, rates: Rates, *, agents: int, calls: int) -> None:
        self.rates = rates
        self.left = {f"run-{number}": calls for number in range(agents)}
        self.waits: list[float] = []
        self.sent: list[tuple[float, str]] = []
        self._events: list[tuple[float, int, str, str]] = []
        self._numbers = count()
        self._open: dict[str, Ticket] = {}
        self._asked_at: dict[Ticket, float] = {}
        for number, run in enumerate(self.left):
            self._later(number * 0.01, "ask", run)

    def play(self) -> None:
        """Until every call has been made."""
        wake = 0.0
        while self._events:
            now, _, what, run = heapq.heappop(self._events)
            if what == "ask":
                ticket = Ticket(run, 100)
                self._asked_at[ticket] = now
                self.rates.ask(ticket)
            elif what == "end":
                self._end(run, now)
            self._send(now)
            at = self.rates.next_at(now)
            if at is not None and (at > wake or wake <= now):
                wake = at
                self._later(at, "wake", "")

    def _send(self, now: float) -> None:
        for ticket in self.rates.grants(now):
            self.waits.append(now - self._asked_at[ticket])
            self.sent.append((now, ticket.run))
            self._open[ticket.run] = ticket
            self._later(now + 2.0, "end", ticket.run)

    def _end(self, run: str, now: float) -> None:
        self.rates.release(self._open.pop(run), now)
        self.left[run] -= 1
        if self.left[run]:
            self._later(now + 0.5, "ask", run)

    def _later(self, at: float, what: str, run: str) -> None:
        heapq.heappush(self._events, (at, next(self._numbers), what, run))


@pytest.mark.parametrize("way", [0.0, 0.7, 2.0], ids=["at-once", "on-their-way", "slowly"])
def test_fifty_agents_share_sixty_requests_a_minute_in_virtual_time(way: float) -> None:
    """S495: the provider sees no call too many, wherever its minute begins, and no call waits as
    long as it may. `way`: seconds that every second call takes to arrive."""
    crowd = Crowd(Rates(Limits(requests=60)), agents=50, calls=6)
    crowd.play()
    assert set(crowd.left.values()) == {0}, "none starves"
    assert len(crowd.sent) == 300
    assert max(crowd.waits) < MOST_WAIT
    provider = Strict(60)
    for at in sorted(at + way * (number % 2) for number, (at, _) in enumerate(crowd.sent)):
        provider.call(at)
    assert provider.refused == 0, "no 429"
    half = Counter(run for _, run in crowd.sent[:150])
    assert set(half.values()) == {3}, "each run has had its part"


def test_without_the_limits_the_same_agents_are_refused() -> None:
    """The provider of the test above refuses."""
    provider = Strict(60)
    for number in range(61):
        provider.call(number * 0.01)
    assert provider.refused == 1
