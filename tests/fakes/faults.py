"""Requests that go wrong on purpose: refused, answered with an error after they were done, or
held until the test lets them go; and the log of all writes."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from waypost.ports.cluster import ClusterError, Kind

WRITES = ("create", "patch", "patch_status", "delete")


@dataclass(frozen=True)
class Request:
    """One call of the port. verb: get, list, create, patch, patch_status, delete, read_log."""

    verb: str
    kind: Kind
    namespace: str
    name: str
    user: str


@dataclass(frozen=True)
class Written:
    """One write as it ended: `result` is done, unchanged, or the name of the error it got from
    the API server; a reply that was lost on purpose counts as done."""

    request: Request
    result: str
    at: float  # monotonic
    resource_version: str = ""


@dataclass
class Gate:
    """Holds the requests it matches before they reach the API server."""

    matches: Callable[[Request], bool]
    waiting: int = 0
    _opened: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self) -> None:
        """Let everything through, now and later."""
        self._opened.set()

    async def passage(self) -> None:
        """Wait until it is open."""
        self.waiting += 1
        try:
            await self._opened.wait()
        finally:
            self.waiting -= 1


@dataclass
class _Fault:
    matches: Callable[[Request], bool]
    error: ClusterError
    after_commit: bool
    left: int


def matcher(
    verb: str | None = None,
    kind: Kind | None = None,
    *,
    name: str | None = None,
    user: str | None = None,
) -> Callable[[Request], bool]:
    """Requests with these properties; None is any. verb "patch" means both patches, "write"
    every write."""
    verbs = {None: None, "patch": ("patch", "patch_status"), "write": WRITES}.get(
        verb, (verb,) if verb else None
    )

    def matches(request: Request) -> bool:
        return (
            (verbs is None or request.verb in verbs)
            and kind in (None, request.kind)
            and name in (None, request.name)
            and user in (None, request.user)
        )

    return matches


@dataclass(frozen=True)
class Withheld:
    """Requests that fail for as long as it is there: `error` after `pause` seconds, and with
    `after_commit` once they were done."""

    matches: Callable[[Request], bool]
    error: Callable[[], ClusterError]
    pause: float = 0.0
    after_commit: bool = False


class Faults:
    """What is prepared to go wrong."""

    def __init__(self) -> None:
        self.withheld: list[Withheld] = []
        self._faults: deque[_Fault] = deque()
        self._gates: list[Gate] = []

    def add(
        self,
        matches: Callable[[Request], bool],
        error: ClusterError,
        *,
        after_commit: bool,
        times: int,
    ) -> None:
        """Fail the next `times` requests that match."""
        self._faults.append(_Fault(matches, error, after_commit, times))

    def gate(self, matches: Callable[[Request], bool]) -> Gate:
        """Hold every request that matches, until the gate is opened."""
        gate = Gate(matches)
        self._gates.append(gate)
        return gate

    @property
    def left(self) -> int:
        """Failures that were prepared and have not happened."""
        return sum(fault.left for fault in self._faults)

    async def hold(self, request: Request) -> None:
        """Wait at the gates that match."""
        for gate in self._gates:
            if gate.matches(request):
                await gate.passage()

    async def withhold(self, request: Request, *, after_commit: bool) -> None:
        """Fail a request that is withheld at this point."""
        for rule in self.withheld:
            if rule.after_commit == after_commit and rule.matches(request):
                await asyncio.sleep(rule.pause)
                raise rule.error()

    def take(self, request: Request, *, after_commit: bool) -> ClusterError | None:
        """The error this request shall end with at this point, if any."""
        for fault in self._faults:
            if fault.after_commit == after_commit and fault.left and fault.matches(request):
                fault.left -= 1
                return fault.error
        return None
