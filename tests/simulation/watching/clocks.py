"""The clocks above the single attempt, kept beside the operator's: deadlines of nodes and of the
run. Nothing ends for a deadline before its time, and nothing starts long after it."""

from collections.abc import Iterator
from typing import Final

from waypost.kube.objects import items
from waypost.ports.cluster import Obj

from tests.simulation.scenario.plan import Node, Scenario
from tests.simulation.watching.evidence import FINAL, Evidence, Violation

_REASON: Final = "DeadlineExceeded"
_STORED_LATE: Final = 12.0  # how much later than it was decided a status may be stored
_TO_STOP: Final = 6.0  # programs here obey; beside the requests of the operator


class Clocks:
    """Follows one run, write by write."""

    def __init__(self, scenario: Scenario, seen: Evidence) -> None:
        self._scenario = scenario
        self._seen = seen
        self._ready: dict[str, float] = {}  # since when a node may start
        self._began: float | None = None  # the round
        self._verdict: float | None = None  # since when finally may run
        self._late = _STORED_LATE if scenario.troubles else 1.0
        self._busy = 0  # how many nodes had an open attempt at the same time, at most

    def note(self, old: Obj, new: Obj, now: float, *, begins: bool) -> Iterator[Violation]:
        """What is wrong with a status write."""
        if begins or (self._began is None and new.get("nodes")):  # a held run has none
            self._began, self._verdict = now, None
        if new.get("verdict") and self._verdict is None:
            self._verdict = now
        self._busy = max(self._busy, sum(n["phase"] == "Running" for n in items(new, "nodes")))
        before = {entry["path"]: entry for entry in items(old, "nodes")}
        entries = {entry["path"]: entry for entry in items(new, "nodes")}
        for node in self._scenario.nodes:
            if (entry := entries.get(node.name)) is None:
                continue  # a round has dropped it, or is still to add it
            if begins and entry.get("disposition") not in (None, "Adopted", "Reused"):
                self._ready.pop(node.name, None)
            if node.last and self._verdict is None:
                self._ready.pop(node.name, None)
            elif all(entries.get(name, {}).get("phase") in FINAL for name in node.upstream):
                self._ready.setdefault(node.name, now)
            yield from self._node(node, before.get(node.name, {}), entry, now)

    def run_is_late(self, now: float) -> bool:
        """Whether the deadline of the run may have passed."""
        return self._is_over(now, slack=-self._late)

    def _stage_is_over(self, node: Node, now: float, *, slack: float) -> bool:
        """Whether the deadline of the run has passed, or that of finally for its nodes."""
        deadline = self._scenario.finally_deadline
        if not node.last:
            return self._is_over(now, slack=slack)
        began = self._verdict
        return deadline is not None and began is not None and now > began + deadline + slack

    def _is_over(self, now: float, *, slack: float) -> bool:
        deadline = self._scenario.deadline
        return deadline is not None and now > (self._began or 0.0) + deadline + slack

    def _node(self, node: Node, was: Obj, entry: Obj, now: float) -> Iterator[Violation]:
        name = node.name
        if entry.get("reason") == _REASON and was.get("reason") != _REASON:
            own = entry["phase"] == "Failed" and self._is_due(node, now, slack=-self._late)
            whole = entry["phase"] == "Cancelled" and self._stage_is_over(
                node, now, slack=-self._late
            )
            if not own and not whole:
                yield Violation("deadline", f"{name} is {entry['phase']} before its deadline", now)
        if entry.get("attempt", 0) > was.get("attempt", 0):
            late = self._late
            if self._stage_is_over(node, now, slack=late) or self._is_due(node, now, slack=late):
                yield Violation("deadline", f"{name} was started after its deadline", now)
        to_stop = _TO_STOP + _requests_to_stop(self._busy) * 2 * self._scenario.latency
        overdue = self._is_due(node, now, slack=to_stop)
        overdue = overdue or self._stage_is_over(node, now, slack=to_stop)
        if overdue and was.get("phase") not in FINAL and not self._scenario.troubles:
            yield Violation("deadline", f"{name} is {entry['phase']} long after its deadline", now)

    def _is_due(self, node: Node, now: float, *, slack: float) -> bool:
        since = self._ready.get(node.name)
        return (
            node.deadline is not None and since is not None and now > since + node.deadline + slack
        )


def _requests_to_stop(attempts: int) -> int:
    """How many requests it takes one after the other, at most, until so many attempts that are
    stopped together are recorded as ended, each in a separate pass: two status writes, a stop of
    every attempt that is left in each pass, and for each attempt two reads, the status, the end of
    its pod."""
    return 2 + attempts * (attempts + 1) + 4 * attempts
