"""What must hold of compensations once a run has ended: its part of the judgement."""

from collections.abc import Iterator, Mapping

from waypost.kube.objects import items, section

from tests.simulation.reference.interpreter import CANCELLED, End, Starts, start
from tests.simulation.reference.undo import inputs_of_undo, must_be_undone
from tests.simulation.scenario.plan import Node, Scenario
from tests.simulation.scenario.undo import path_of
from tests.simulation.watching.evidence import FINAL, Evidence, Violation

_LATE = End("Cancelled", "DeadlineExceeded")


def violations(
    scenario: Scenario, seen: Evidence, ends: Mapping[str, End], verdict: End
) -> Iterator[Violation]:
    """What is wrong with the compensations of a run that has ended with this verdict."""
    able = [node for node in scenario.nodes if node.undo is not None and node.name in ends]
    if not able or seen.finished_at is None:
        return
    needed = [node for node in able if must_be_undone(node, ends[node.name])]
    due = {node.name for node in needed} if verdict.phase != "Succeeded" else set()
    good = True
    for node in able:
        entry = seen.nodes.get(path_of(node.name))
        if (entry is not None) is not (node.name in due):
            text = "is undone" if entry is not None else "is not undone"
            yield Violation("VF2", f"undo: {node.name} {text}, and the run is {verdict.phase}")
        if entry is None:
            continue
        end = End(entry["phase"], entry.get("reason"))
        good = good and end.phase == "Succeeded"
        yield from _end(scenario, seen, node, end)
        yield from _inputs(scenario, seen, node, ends)
    yield from _condition(seen, good=good)


def _end(scenario: Scenario, seen: Evidence, node: Node, end: End) -> Iterator[Violation]:
    """What its attempts say of its end is judged with those of other nodes."""
    path = path_of(node.name)
    legal: set[End] = set()
    if section(seen.run, "spec").get("skipFinally"):
        legal.add(CANCELLED)
    if scenario.is_hurried:
        legal.add(_LATE)
    if end.phase not in FINAL:
        yield Violation("VF2", f"{path} is {end.phase}, and the run has ended")
    elif not seen.attempts_of(path) and end not in legal:
        yield Violation("VF2", f"{path} is {end}, and its program never ran")
    elif end.phase == "Cancelled" and end not in legal:
        yield Violation("VF2", f"{path} is {end}, and nobody asked to stop it")


def _inputs(
    scenario: Scenario, seen: Evidence, node: Node, ends: Mapping[str, End]
) -> Iterator[Violation]:
    """I6: a compensation gets what the program that it undoes has had and given, and its key."""
    follows = start(scenario, node, ends)
    if not isinstance(follows, Starts):
        return  # judged with the node
    keys = {pod.key for pod in seen.pods.values() if pod.path == node.name and pod.key}
    legal = [
        inputs_of_undo(node, ends[node.name], follows.inputs, key) for key in keys or {"unknown"}
    ]
    for pod in seen.pods.values():
        if pod.path == path_of(node.name) and pod.act is not None and pod.inputs not in legal:
            text = f"{pod.path}: expected one of the inputs {legal}, found {pod.inputs}"
            yield Violation("I6", text)


def _condition(seen: Evidence, *, good: bool) -> Iterator[Violation]:
    """S276: what the run says of its compensations; they are good if there was nothing to undo."""
    conditions = {c["type"]: c["status"] for c in items(seen.run, "status", "conditions")}
    found = conditions.get("CompensationSucceeded")
    if found != str(good):
        yield Violation("T11", f"CompensationSucceeded is {found}, expected {good}")
