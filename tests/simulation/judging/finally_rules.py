"""What must hold of finally once a run has ended: its part of the judgement."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from waypost.kube.objects import items, section
from waypost.ports.cluster import Obj

from tests.simulation.reference.interpreter import End, breaks_finally, verdict_of
from tests.simulation.scenario.plan import Node
from tests.simulation.watching.evidence import Evidence, Violation


class FinallyRules(ABC):
    """Part of `verdict.Judge`."""

    _seen: Evidence
    _standing: list[Node]
    _ends: dict[str, End]

    @abstractmethod
    def _is_late(self) -> bool:
        """Whether the run was ended by its deadline."""

    @property
    def _skips(self) -> bool:
        """Whether a person asked to skip finally."""
        return bool(section(self._seen.run, "spec").get("skipFinally"))

    def _verdict(self) -> End:
        """How the main nodes ended together, as finally must see it."""
        cancelled = bool(section(self._seen.run, "status").get("cancelledAt"))
        clean_up = any(node.last for node in self._standing)
        if clean_up or section(self._seen.run, "status", "verdict"):
            cancelled = self._seen.verdict_cancelled
        return verdict_of(cancelled=cancelled, failed=bool(self._fatal()) or self._is_late())

    def _shown(self, node: Node) -> End:
        end = self._ends[node.name]
        return End(end.phase, end.reason)

    def _finally(self, status: Obj) -> Iterator[Violation]:
        """What the run says of finally: the verdict, and the condition."""
        last = [node for node in self._standing if node.last]
        if not last or self._seen.finished_at is None:
            return
        found = section(status, "verdict").get("phase")
        if found != self._verdict().phase:
            yield Violation("VF1", f"expected the verdict {self._verdict().phase}, found {found}")
        ends = [self._shown(node) for node in last]
        broken = any(breaks_finally(node, self._shown(node)) for node in last)
        good = not broken and not any(end.phase == "Cancelled" for end in ends)
        conditions = {c["type"]: c["status"] for c in items(status, "conditions")}
        if conditions.get("FinallySucceeded") != str(good):
            yield Violation("T11", f"FinallySucceeded is {conditions.get('FinallySucceeded')}")

    def _fatal(self) -> list[str]:
        """The main nodes that failed the run."""
        nodes = [node for node in self._standing if not node.last]
        return [n.name for n in nodes if self._ends[n.name].phase == "Failed" and not n.tolerated]

    def _expected_phase(self) -> str:
        """The phase of the run: that of the verdict, unless finally breaks a success."""
        last = [node for node in self._standing if node.last]
        broken = any(breaks_finally(node, self._shown(node)) for node in last)
        verdict = self._verdict().phase
        return "Failed" if broken and verdict == "Succeeded" else verdict
