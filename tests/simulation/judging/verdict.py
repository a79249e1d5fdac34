"""The judgement of a whole run: what the watcher saw against what the interpreter says."""

from collections.abc import Iterator
from typing import Any, Final

from waypost.kube.objects import section
from waypost.ports.cluster import Obj

from tests.simulation.judging import gates, map_items, undone
from tests.simulation.judging.attempts import AttemptsJudge
from tests.simulation.reference import loops
from tests.simulation.reference.budget import over_budget
from tests.simulation.reference.interpreter import (
    CANCELLED,
    VERDICT,
    End,
    Starts,
    outputs_of,
    start,
)
from tests.simulation.scenario.plan import Node
from tests.simulation.scenario.programs import digest
from tests.simulation.scenario.template_plan import ended_without_definition
from tests.simulation.watching import choices
from tests.simulation.watching.evidence import Violation

_SKIPPED_FOR_IT: Final = End("Skipped", "DependencyFailed")


class Judge(AttemptsJudge):
    """One run under judgement."""

    def all(self) -> Iterator[Violation]:
        yield from self._executions()
        yield from self._attempts()
        if self._seen.deleted_at is None:
            yield from self._nodes()
            yield from self._run()
        yield from over_budget(self._scenario, self._seen)

    def _nodes(self) -> Iterator[Violation]:
        found = self._seen.nodes
        for node in self._standing:
            entry = found.get(node.name)
            if entry is None:
                yield Violation("T11", f"{node.name} is not in the status")
                return
            yield from self._output(node, entry)
            self._ends[node.name] = choices.end_of(self._seen, entry)
        self._ends[VERDICT] = self._verdict()
        fatal = self._fatal()
        closed = bool(fatal) or section(self._seen.run, "status").get("cancelledAt")
        doomed = self._doomed(fatal)
        for node in self._standing:
            shut = self._skips if node.last else bool(closed)
            yield from self._node(node, closed=shut, doomed=node.name in doomed)

    def _doomed(self, fatal: list[str]) -> set[str]:
        """The nodes that wait for a failure, directly or through others that were skipped for it.

        Not what follows a node with a result: a first node has it before all candidates ended.
        """
        passing, doomed = set(fatal), set[str]()
        for node in self._standing:
            if passing.intersection(node.upstream):
                doomed.add(node.name)
                if self._shown(node) == _SKIPPED_FOR_IT:
                    passing.add(node.name)
        return doomed

    def _output(self, node: Node, entry: Obj) -> Iterator[Violation]:
        """I1, I4, I5: what is recorded is what the program gave, and it is still there."""
        if entry["phase"] != "Succeeded" or not node.has_pod:
            return
        if node.is_map:
            limits = (self._seen.cancelled_at, node.deadline, self._scenario.deadline)
            limited = node.last or any(limit is not None for limit in limits)
            end = choices.end_of(self._seen, entry)
            yield from map_items.output(node, entry, end, self._seen, limited=limited)
            return
        given = self._meanings.get(node.name)
        if given is None:
            yield Violation("I5", f"{node.name}: no program gave what its status says that it gave")
            return
        if entry.get("outputDigest") != given.digest:
            yield Violation("I4", f"{node.name}: the recorded digest is not that of its output")
        end = choices.end_of(self._seen, entry)
        if digest(end.output) != given.digest:
            yield Violation("I5", f"{node.name}: the recorded output is not what it gave")

    def _node(self, node: Node, *, closed: bool, doomed: bool) -> Iterator[Violation]:
        end = self._ends[node.name]
        follows = start(self._scenario, node, self._ends)
        started = (
            bool(self._seen.attempts_of(node.name))
            or "approval" in self._seen.nodes[node.name]
            or map_items.was_started(node, self._seen)
        )
        legal: set[Any] = set(self._unneeded(node))
        if closed and (not started or end.phase == "Cancelled"):
            legal.add(CANCELLED)
            if doomed:
                legal.add(End("Skipped", "DependencyFailed"))
        if isinstance(follows, Starts):
            legal |= self._ran(node)
            yield from self._inputs(node, follows)
        else:
            legal |= set(follows)
            if started and node.kind != "first":
                yield Violation("T11", f"{node.name} was started, and should have been {follows}")
        if node.kind == "wait":
            yield from self._wait(node)
        shown = End(end.phase, end.reason)
        if shown not in legal:
            yield Violation("T11", f"{node.name}: expected one of {legal}, found {shown}")

    def _inputs(self, node: Node, follows: Starts) -> Iterator[Violation]:
        if node.is_map:
            yield from map_items.inputs(node, follows, self._seen)
        for pod in self._seen.pods.values():
            if pod.path != node.name or pod.act is None:
                continue
            if loops.without_previous(node, pod.inputs) != follows.inputs:
                text = f"{node.name}: expected the inputs {follows.inputs}, found {pod.inputs}"
                yield Violation("I6", text)

    def _ran(self, node: Node) -> set[End]:
        """How a node that was started may end. Whether its attempts agree was judged before."""
        if node.kind == "wait":
            return {End("Succeeded")}
        if node.kind == "approval":
            ends = gates.ends(self._scenario, node, self._seen)
            forged = {End("Failed", "LaunchRejected")} if node.name in self._seen.forged else set()
            return ends | forged
        entry = self._seen.nodes[node.name]
        if node.is_map:
            return map_items.ends(node, self._seen)
        if not self._seen.attempts_of(node.name):
            budget = node.kind == "agent" and self._scenario.tokens is not None
            return {End("Failed", "BudgetExceeded")} if budget else set()
        if node.kind == "agent" and entry.get("reason") == "BudgetExceeded":
            return {End("Failed", "BudgetExceeded")}
        return {End(entry["phase"], entry.get("reason"))}

    def _run(self) -> Iterator[Violation]:
        status = section(self._seen.run, "status")
        whole = VERDICT in self._ends
        expected = self._expected_phase() if whole else "Succeeded"
        if whole:
            yield from self._finally(status)
            yield from undone.violations(
                self._scenario, self._seen, self._ends, self._ends[VERDICT]
            )
        if status.get("phase") != expected:
            yield Violation("T11", f"the run: expected {expected}, found {status.get('phase')}")
        if whole and not ended_without_definition(self._scenario, status):
            outputs = outputs_of(self._scenario, self._ends)
            if (status.get("outputs") or {}) != outputs:
                text = f"outputs: expected {outputs}, found {status.get('outputs')}"
                yield Violation("T11", text)
        yield from gates.violations(self._scenario, self._seen)

    def _is_late(self) -> bool:
        """Whether the run was ended by its deadline."""
        return False

    def _wait(self, node: Node) -> Iterator[Violation]:
        """A wait takes its time, and where nothing goes wrong no longer."""
        if self._ends[node.name].phase != "Succeeded":
            return
        ended, waiting = self._seen.ended[node.name], self._seen.waiting[node.name]
        took = ended - waiting.since
        late = took > node.seconds + 5.0 and not self._scenario.troubles
        if late or ended < waiting.decided_at + node.seconds:
            yield Violation("T11", f"{node.name} waited for {took:.1f} s, not {node.seconds:.1f}")
