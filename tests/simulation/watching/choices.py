"""VC1: what must hold of first nodes, write by write, from what the API server stored.

Written from docs/semantics.md, and independent of the engine.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import Obj

from tests.simulation.reference.interpreter import End, choices_of
from tests.simulation.reference.maps import payload, states_of
from tests.simulation.scenario.plan import Node, Scenario
from tests.simulation.watching.evidence import FINAL, Evidence, Violation

NOT_CHOSEN: Final = End("Cancelled", "NotChosen")
_DECIDED: Final = ("Succeeded", "Failed")


class Choices:
    """Follows one run, write by write."""

    def __init__(self, scenario: Scenario, seen: Evidence) -> None:
        self._scenario = scenario
        self._seen = seen
        self._writes = 0
        self._nodes = [node for node in scenario.nodes if node.kind == "first"]

    def note(self, old: Obj, new: Obj, now: float, *, begins: bool) -> Iterator[Violation]:
        """What is wrong with a status write."""
        was = {entry["path"]: entry for entry in items(old, "nodes")}
        self._writes += 1
        for entry in items(new, "nodes"):
            before = was.get(entry["path"], {})
            if any(before.get(field) != entry.get(field) for field in ("phase", "finishedAt")):
                self._record(before, entry, now)
        entries = {entry["path"]: entry for entry in items(new, "nodes")}
        for node in self._nodes:
            if node.name not in entries or not all(name in entries for name in node.of):
                continue
            for text in self._choice(node, was, entries, begins=begins):
                yield Violation("VC1", f"{node.name}: {text}", now)
            for name in node.of:
                for text in self._candidate(node, name, was, entries):
                    yield Violation("VC1", f"{name} of {node.name}: {text}", now)

    def _record(self, before: Obj, entry: Obj, now: float) -> None:
        """Note the write that recorded the end of a node, and whether the node, or an item of it,
        began in that write."""
        path = entry["path"]
        self._seen.recorded[path] = (self._writes, now)
        self._seen.began_late.discard(path)
        states = states_of(section(before, "items").get("states", ""))
        if before.get("phase") in (None, "Pending") or any(letter == "P" for letter, _ in states):
            self._seen.began_late.add(path)

    def _choice(
        self, node: Node, was: Mapping[str, Obj], entries: Mapping[str, Obj], *, begins: bool
    ) -> Iterator[str]:
        before, entry = was.get(node.name, {}), entries[node.name]
        if before.get("phase") in _DECIDED and not begins and chosen(before) != chosen(entry):
            yield f"the choice of {chosen(before)} became {chosen(entry)}"
        if entry["phase"] == "Succeeded" and before.get("phase") != "Succeeded":
            self._seen.exercised["choice"] = self._seen.exercised.get("choice", 0) + 1
        legal = choices_of(self._scenario, node, self._ends(node, entries))
        unread = entry.get("reason") == "ReadRejected" and self._seen.unreadable_records
        if entry["phase"] == "Waiting" and legal and None not in legal and not unread:
            yield f"it waits, and its candidates say {legal}"
        fresh = entry["phase"] == "Succeeded" and entry != before and "first" in entry
        if not fresh or begins:
            return
        name = chosen(entry)
        if name not in {found[0] for found in legal if found is not None}:
            yield f"it chose {name}, and its candidates say {legal}"
        elif entry.get("outputDigest") != entries[name].get("outputDigest"):
            yield f"its output is not that of {name}"

    def _ends(self, node: Node, entries: Mapping[str, Obj]) -> dict[str, End]:
        return {name: end_of(self._seen, entries[name]) for name in (node.name, *node.of)}

    def _candidate(
        self, node: Node, name: str, was: Mapping[str, Obj], entries: Mapping[str, Obj]
    ) -> Iterator[str]:
        before, entry = was.get(name, {}), entries[name]
        lost = is_loser(node, name, entries)
        if _is_stopped(entry) and not _is_stopped(before) and not lost:
            yield "it is stopped, and nothing was chosen instead"
        if lost and _is_left_alone(entry):
            yield f"it is {entry['phase']}, and another one was chosen"
        if lost and _is_stopped(entry):
            self._seen.exercised["loser"] = 1
        later = entry.get("attempt", 0) > before.get("attempt", 0)
        # In the write that chooses, one may be recorded that is stopped and gets no Job.
        decides = was.get(node.name, {}).get("startedAt") != entries[node.name].get("startedAt")
        if later and lost and is_loser(node, name, was) and not decides:
            yield f"attempt {entry['attempt']} starts, and another one was chosen"


def chosen(entry: Obj) -> str:
    """The candidate that a checkpoint names; "" if it names none."""
    return str(section(entry, "first").get("chosen") or "")


def is_loser(node: Node, name: str, entries: Mapping[str, Obj]) -> bool:
    """Whether a candidate is needed no longer: its first node has ended with another one, or has
    failed, and stops the others."""
    entry = entries.get(node.name, {})
    decided = entry.get("phase") in _DECIDED and "first" in entry
    return decided and not node.finishes and chosen(entry) != name


def is_lost(scenario: Scenario, name: str, entries: Mapping[str, Obj]) -> bool:
    """Whether a node is a loser of any first node."""
    choosers = (node for node in scenario.nodes if name in node.of)
    return any(is_loser(node, name, entries) for node in choosers)


def stays_lost(
    scenario: Scenario, name: str, before: Mapping[str, Obj], now: Mapping[str, Obj]
) -> bool:
    """Whether a candidate that had failed or was skipped when a round began stays so, because the
    round kept the choice of another one (S232).

    Args:
        scenario: The scenario.
        name: The candidate.
        before: The checkpoints by path when the round began.
        now: Those that it left.
    """
    choosers = [node.name for node in scenario.nodes if name in node.of]
    kept = all(_fixed(before.get(path, {})) == _fixed(now[path]) for path in (name, *choosers))
    ended = now[name]["phase"] in ("Failed", "Skipped")
    return kept and ended and is_lost(scenario, name, before)


def _fixed(entry: Obj) -> list[object]:
    """What does not change of a checkpoint that is kept."""
    return [chosen(entry), *(entry.get(field) for field in ("phase", "reason", "finishedAt"))]


def deciding(node: Node, entry: Obj) -> tuple[str, ...]:
    """The nodes on which a node depends in a round: of the candidates only the chosen one."""
    name = chosen(entry)
    return tuple(one for one in node.upstream if one not in node.of or not name or one == name)


def end_of(seen: Evidence, entry: Obj) -> End:
    """How a node ended, by its checkpoint."""
    written, moment = seen.recorded.get(entry["path"], (0, 0.0))
    failed = section(entry, "items").get("failed", 0)  # judged against the states by VM2
    late = entry["path"] in seen.began_late
    if entry["phase"] != "Succeeded":
        reason = entry.get("reason")
        return End(entry["phase"], reason, at=written, moment=moment, late=late, failed=failed)
    output = entry.get("output")
    if entry.get("outputRecord"):
        output = payload(seen.records.get(entry["outputRecord"], {}))
    return End("Succeeded", None, output, at=written, moment=moment, late=late, failed=failed)


def _is_stopped(entry: Obj) -> bool:
    stopping = any(each.get("stopping") == "NotChosen" for each in items(entry, "attempts"))
    doomed = section(entry, "items").get("doomed") == "NotChosen"
    return stopping or doomed or entry.get("reason") == "NotChosen"


def _is_left_alone(entry: Obj) -> bool:
    """Whether nothing was done about a candidate that has not ended; a gate ends later, after its
    Approval."""
    if entry["phase"] in FINAL or (entry["phase"] == "Waiting" and entry.get("approval")):
        return False
    stored = section(entry, "items")
    if "states" in stored and (
        stored.get("doomed") or all(s[0] == "S" for s in states_of(stored["states"]))
    ):
        return False
    attempts = items(entry, "attempts")
    return not (attempts and attempts[-1].get("stopping"))
