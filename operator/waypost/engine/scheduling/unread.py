"""Nodes that need a NodeRecord which cannot be read: they wait, and nothing else does (S85)."""

from collections.abc import Iterable

from waypost.api.modifiers.repeat import Iterations
from waypost.api.workflow import CompensationNode
from waypost.compiler.graph import evaluated_fields
from waypost.compiler.memory.rules import notes_of
from waypost.compiler.rules.scopes import at_the_end
from waypost.engine.state import parked
from waypost.engine.state.paths import node_of
from waypost.engine.state.transition import Transition
from waypost.engine.state.visible import records_of
from waypost.expressions.references import Path
from waypost.expressions.templates import paths_in
from waypost.kube.facts.read_problems import ReadProblem, of_record
from waypost.kube.items import artifacts as item_artifacts
from waypost.kube.items import undone, undone_iterations


def unread_by(transition: Transition, path: str) -> ReadProblem | None:
    """Why a NodeRecord that the expressions of a node read could not be read; None if all could.

    Those of a map in progress, and of an item, read the list of the map too. An agent whose tool
    calls were decided reads the decisions, and one that is given notes reads the memory.
    """
    if not transition.observed.unread:
        return None
    fields = [value for _, value in evaluated_fields(transition.node(path))]
    used = [used for value in fields for used in paths_in(value)]
    names = _records(transition, used)
    if node_of(path) in transition.graph.compensations:
        names |= _read_by_undone(transition, node_of(path))
    memory = transition.observed.status.memory
    if memory is not None and notes_of(transition.spec, transition.node(path)) is not None:
        names.add(memory.record)
    names |= parked.reads_of(transition.observed, transition.statuses[path])
    if item_artifacts.takes(transition.node(path)):
        names |= item_artifacts.records_of(transition.graph.nodes, transition.node_statuses)
    loop = transition.statuses[path].loop
    if loop is not None and loop.previous is not None:
        names.add(loop.previous)
    opened = transition.maps.get(node_of(path))
    if opened is not None and opened.items.list_record is not None:
        names.add(opened.items.list_record)
    return _first(transition, names)


def unread_records(transition: Transition, names: Iterable[str]) -> ReadProblem | None:
    """Why one of these NodeRecords could not be read; None if all could."""
    return _first(transition, {*names}) if transition.observed.unread else None


def unread_by_outputs(transition: Transition) -> ReadProblem | None:
    """The same of the outputs of the run."""
    if not transition.observed.unread:
        return None
    used = [path for _, value in at_the_end(transition.spec) for path in paths_in(value)]
    return _first(transition, _records(transition, used))


def _records(transition: Transition, used: list[Path]) -> set[str]:
    """The NodeRecords of the outputs and errors at these paths."""
    names: set[str] = set()
    memory = transition.observed.status.memory
    if memory is not None and any(path.root == "memory" for path in used):
        names.add(memory.record)
    for path in used:
        if path.root != "nodes" or path.fields[1:2] == ("phase",):
            continue
        status = transition.statuses.get(path.fields[0]) if path.fields else None
        if status is not None:
            names |= records_of(transition.node(status.path), status)
    return names


def _read_by_undone(transition: Transition, path: str) -> set[str]:
    """The NodeRecords of `self` of a compensation: the output of its node, and what that read."""
    read, node = transition.graph.dependencies[path].joined, transition.node(path)
    found = {
        record
        for name in read
        for record in records_of(transition.node(name), transition.statuses[name])
    }
    memory = transition.observed.status.memory
    if memory is not None and transition.observed.definition.memory_readers:
        found.add(memory.record)
    if isinstance(node, CompensationNode) and node.for_each is not None:
        done, of_undo = transition.statuses[node.undoes], transition.statuses[path]
        if isinstance(node.for_each, Iterations):
            run, uid = transition.owner.name, transition.owner.uid
            payloads = transition.payloads
            found |= undone_iterations.reads(done, of_undo, payloads, run=run, run_uid=uid)
        else:
            found |= undone.reads(done, of_undo, transition.payloads)
    return found


def _first(transition: Transition, names: set[str]) -> ReadProblem | None:
    unread = transition.observed.unread
    problems = (unread.get(of_record(name)) for name in sorted(names))
    return next((problem for problem in problems if problem is not None), None)
