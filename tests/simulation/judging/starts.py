"""The judgement of program starts: none twice, no two of a node at the same time."""

from collections.abc import Iterator

from waypost.kube.objects import items

from tests.fakes.nodes.programs import Ledger, owner_of
from tests.simulation.judging import map_items
from tests.simulation.judging.finally_rules import FinallyRules
from tests.simulation.reference import loops
from tests.simulation.reference.interpreter import End
from tests.simulation.scenario.plan import REPEATED_ACTS, Node, Scenario
from tests.simulation.scenario.programs import Gave
from tests.simulation.scenario.undo import compensations
from tests.simulation.watching.evidence import Evidence, Violation


class ProgramsJudge(FinallyRules):
    """The programs of one run under judgement."""

    def __init__(self, scenario: Scenario, seen: Evidence, ledger: Ledger) -> None:
        self._scenario = scenario
        self._seen = seen
        self._ledger = ledger
        ledger.maps = frozenset(node.name for node in scenario.nodes if node.is_map)
        listed = [*items(seen.spec, "nodes"), *items(seen.spec, "finally")]
        names = {node["name"] for node in listed}
        self._standing = [node for node in scenario.nodes if node.name in names]
        self._ends: dict[str, End] = {}
        self._meanings: dict[str, Gave] = {}

    @property
    def _programs(self) -> list[Node]:
        """The nodes, each item of a map as a node, and the compensations."""
        nodes = (*self._scenario.nodes, *compensations(self._scenario))
        return map_items.all_programs(nodes, self._seen)

    def _executions(self) -> Iterator[Violation]:
        names = {node.name for node in (*self._scenario.nodes, *compensations(self._scenario))}
        first_starts = Ledger()
        first_starts.executions = [
            e
            for at, e in enumerate(self._ledger.executions)
            if not self._seen.is_relaunched(e.pod_uid) and not self._was_repeated(at)
        ]
        for _, path, number in first_starts.doubled():
            if owner_of(path) in names:
                yield Violation("I2", f"{path}: the program of attempt {number} started twice")
        for first, second in self._ledger.overlaps():
            given_up = self._seen.was_given_up(first.pod_uid)
            beside = self._seen.may_run_beside(first.pod_uid, second.pod_uid)
            if owner_of(first.path) in names and not given_up and not beside:
                text = f"{first.path}: attempts {first.attempt} and {second.attempt} ran together"
                yield Violation("I2", text)
        for node in self._programs:
            path, runs = node.name, self._ledger.of(node.name)
            count = len(first_starts.of(path))
            if node.loop is not None:
                count = loops.most_runs(self._seen, first_starts.of(path))
            if node.never_twice and count > self._starts_allowed(node) + _without_effect(node):
                yield Violation("S53", f"{path}: effect once, and it ran {count} times")
            for execution in runs:
                if (path, execution.attempt) not in self._seen.attempts:
                    yield Violation("I3", f"{path}: attempt {execution.attempt} is in no status")

    def _was_repeated(self, at: int) -> bool:
        """Whether its kubelet had run the container of an execution before (S524)."""
        uid = self._ledger.executions[at].pod_uid
        pod = self._seen.pods.get(uid)
        repeats = pod is not None and pod.act is not None and pod.act.name in REPEATED_ACTS
        return repeats and any(e.pod_uid == uid for e in self._ledger.executions[:at])

    def _starts_allowed(self, node: Node) -> int:
        return 1 + len(self._seen.rounds) if node.last else 1


def _without_effect(node: Node) -> int:
    """How many starts have no effect: an http node that finds no key sends nothing (S638)."""
    return sum(act.name == "keyless" for act in node.acts) if node.kind == "http" else 0
