"""The clocks above the single attempt, kept beside the operator's: deadlines of nodes and of the
run. Nothing ends for a deadline before its time, and nothing starts long after it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from waypost.kube.objects import items
from waypost.ports.cluster import Obj

from tests.simulation.scenario.plan import Node, Scenario
from tests.simulation.scenario.undo import compensations
from tests.simulation.watching.evidence import FINAL, Evidence, Violation

_REASON: Final = "DeadlineExceeded"
_TO_STOP: Final = 6.0  # programs here obey; beside the requests of the operator


@dataclass(frozen=True)
class Since:
    """The beginning of a clock."""

    stored: float
    decided: float  # at the earliest

    def is_over(self, limit: float | None, now: float) -> bool:
        """Whether so many seconds have certainly passed."""
        return limit is not None and now > self.stored + limit

    def may_be_over(self, limit: float | None, now: float) -> bool:
        """Whether so many seconds may have passed."""
        return limit is not None and now > self.decided + limit


_NOT_YET: Final = Since(float("inf"), float("inf"))


class Clocks:
    """Follows one run, write by write."""

    def __init__(self, scenario: Scenario, seen: Evidence) -> None:
        self._scenario = scenario
        self._seen = seen
        self._undo = compensations(scenario)
        self._decided = 0.0  # what is stored now, at the earliest
        self._ready: dict[str, Since] = {}  # since when a node may start
        self._began: Since | None = None  # the round
        self._verdict: Since | None = None  # since when compensations may run
        self._undone: Since | None = None  # since when finally may run
        self._busy = 0  # how many nodes had an open attempt at the same time, at most

    def note(self, old: Obj, new: Obj, now: float, *, begins: bool) -> Iterator[Violation]:
        """What is wrong with a status write."""
        self._decided = self._seen.decided_at
        since = Since(now, self._decided)
        if begins or (self._began is None and new.get("nodes")):  # a held run has none
            self._began, self._verdict, self._undone = since, None, None
        if new.get("verdict") and self._verdict is None:
            self._verdict = since
        self._busy = max(self._busy, sum(n["phase"] == "Running" for n in items(new, "nodes")))
        before = {entry["path"]: entry for entry in items(old, "nodes")}
        entries = {entry["path"]: entry for entry in items(new, "nodes")}
        if self._verdict is not None and all(
            entries[one.name]["phase"] in FINAL for one in self._undo if one.name in entries
        ):
            self._undone = self._undone or since
        for node in (*self._scenario.nodes, *self._undo):
            if (entry := entries.get(node.name)) is None:
                continue  # a round has dropped it, or is still to add it
            if begins and entry.get("disposition") not in (None, "Adopted", "Reused"):
                self._ready.pop(node.name, None)
            waits = node.last and self._stage(node) is None
            if waits or entry["phase"] == "Superseding":  # S55: what is stopped does not count
                self._ready.pop(node.name, None)
            elif all(self._is_over(name, entries) for name in node.upstream):
                self._ready.setdefault(node.name, since)
            yield from self._node(node, before.get(node.name, {}), entry, now)

    def _is_over(self, name: str, entries: dict[str, Obj]) -> bool:
        """Whether nodes that wait for a node may start: it has ended, and no person has to act."""
        phase = entries.get(name, {}).get("phase")
        pauses = phase == "Failed" and self._scenario.by_name[name].pauses
        return phase in FINAL and not pauses

    def run_is_late(self, now: float) -> bool:
        """Whether the deadline of the run may have passed."""
        return self._began is not None and self._began.may_be_over(self._scenario.deadline, now)

    def _node(self, node: Node, was: Obj, entry: Obj, now: float) -> Iterator[Violation]:
        name = node.name
        clocks = self._clocks_of(node)
        if entry.get("reason") == _REASON and was.get("reason") != _REASON:
            own, whole = (since.may_be_over(limit, now) for since, limit in clocks)
            if not (own if entry["phase"] == "Failed" else whole and entry["phase"] == "Cancelled"):
                yield Violation("deadline", f"{name} is {entry['phase']} before its deadline", now)
        if entry.get("attempt", 0) > was.get("attempt", 0) and any(
            since.is_over(limit, self._decided) for since, limit in clocks
        ):
            yield Violation("deadline", f"{name} was started after its deadline", now)
        to_stop = _TO_STOP + _requests_to_stop(self._busy) * 2 * self._scenario.latency
        overdue = any(since.is_over(limit, now - to_stop) for since, limit in clocks)
        if overdue and was.get("phase") not in FINAL and not self._scenario.troubles:
            yield Violation("deadline", f"{name} is {entry['phase']} long after its deadline", now)

    def _clocks_of(
        self, node: Node
    ) -> tuple[tuple[Since, float | None], tuple[Since, float | None]]:
        """The deadline of a node, and that of the run, or of finally for its nodes."""
        own = (self._ready.get(node.name, _NOT_YET), node.deadline)
        if node.last:
            return own, (self._stage(node) or _NOT_YET, self._scenario.finally_deadline)
        return own, (self._began or _NOT_YET, self._scenario.deadline)

    def _stage(self, node: Node) -> Since | None:
        """Since when a node of finally, or a compensation, may run."""
        return self._verdict if node in self._undo else self._undone


def _requests_to_stop(attempts: int) -> int:
    """How many requests it takes one after the other, at most, until so many attempts that are
    stopped together are recorded as ended, each in a separate pass: two status writes, a stop of
    every attempt that is left in each pass, and for each attempt two reads, the status, the end of
    its pod."""
    return 2 + attempts * (attempts + 1) + 4 * attempts
