"""The live reads that a pass still needs before `decide`."""

from collections.abc import Mapping
from datetime import datetime

from waypost.api.status import FINAL_PHASES, NodeStatus
from waypost.api.wire.by_phase import Statuses, of_status
from waypost.compiler.graph import Graph
from waypost.compiler.rules.scopes import at_the_end
from waypost.engine.attempts import lost_machines, reads, stored_results, traces
from waypost.engine.items import reads as items_reads
from waypost.engine.memory import begin, outbox, refresh
from waypost.engine.nodes.gates import policy
from waypost.engine.nodes.table import engine_kind, watching_kind
from waypost.engine.run import finalizing
from waypost.engine.run.entry import Active, Entry, Halted, Refreshing, is_stopped_alone, refreshed
from waypost.engine.scheduling import missing_references
from waypost.engine.state import parked, transition
from waypost.engine.state.observed import Observed, Reads
from waypost.engine.state.transition import is_finished
from waypost.engine.state.visible import records_of
from waypost.expressions.templates import references_in
from waypost.kube.facts.read_problems import OBJECTS, REFERENCES, of_record
from waypost.kube.items import artifacts as item_artifacts
from waypost.kube.workflow_events import Selector


def required_reads(entry: Entry, now: datetime) -> Reads:
    """The reads that `decide` needs in addition to the cached facts.

    Call it again after the reads were loaded: what they contain may require others.

    Args:
        entry: The run as this pass entered it.
        now: The time of the pass.

    Returns:
        The reads that are not loaded yet; falsy fields only if `decide` can be called.
    """
    entry = refreshed(entry, now)
    if isinstance(entry, Refreshing):
        again = entry.observed
        return Reads(payloads=refresh.payloads(again), memory=refresh.wanted(again))
    return _reads_of(entry, now) if isinstance(entry, Active | Halted) else Reads()


def _reads_of(entry: Active | Halted, now: datetime) -> Reads:
    observed = entry.observed
    known = of_status(observed.status)
    if isinstance(entry, Halted):  # nothing else of it is advanced
        known = Statuses(filter(is_stopped_alone, known.values()))
    graph = observed.definition.graph
    live, references = finalizing.needs_live_read(observed), False
    logs = []
    silent = []
    machines: set[str] = set()
    payloads: set[str] = set()
    records: set[str] = set()
    for path in _unfinished(graph, known):
        status = known.get(path)
        # Also of nodes that a round has made ones of another kind: their attempts still end.
        if status and status.phase in transition.IN_POD:
            for attempt in (status, *items_reads.watched_items(observed, status)):
                asks = attempt.child is not None or attempt.phase == "Waiting"
                if asks and attempt is not status:
                    kind = watching_kind(graph.nodes[path], attempt)
                    live = live or kind.needs_live_read(observed, attempt, now)
                live = live or reads.needs_live_read(observed, attempt, now)
                live = live or lost_machines.needs_live_read(observed, attempt, now)
                machines |= lost_machines.reads_of(observed, attempt, now)
                logs += reads.log_reads(observed, attempt)
                silent += reads.event_reads(observed, attempt, now)
                records |= stored_results.reads_of(observed, attempt, graph.nodes[path], now)
                records |= traces.reads_of(observed, attempt)
                references |= missing_references.needs_live_references(attempt, now)
        if status and (status.phase == "Waiting" or status.child is not None):
            kind = watching_kind(graph.nodes[path], status)
            live = live or kind.needs_live_read(observed, status, now)
        if status:
            payloads |= parked.reads_of(observed, status)
            payloads |= items_reads.parked_reads(observed, status)
        references = references or missing_references.needs_live_references(status, now)
        payloads |= _input_reads(observed, known, path)
        payloads |= items_reads.payload_reads(observed, graph.nodes[path], status)
    if not is_finished(observed.status):
        payloads |= output_reads(observed, known) | _memory_reads(observed)
    unread = observed.unread
    records = {name for name in records if of_record(name) not in unread}
    return Reads(
        payloads=outbox.reads(observed).union(payloads) - set(observed.payloads),
        records=frozenset(records - set(observed.records)),
        logs=tuple(logs),
        live=live and not observed.live and OBJECTS not in unread,
        references=references and not observed.references_live and REFERENCES not in unread,
        silent=tuple(silent),
        machines=frozenset(machines),
        workflow_events=_event_reads(observed, known, now),
        guard=policy.needs_look(observed),
        memory=begin.wanted(observed) if isinstance(entry, Active) else frozenset(),
    )


def _unfinished(graph: Graph, known: Statuses) -> list[str]:
    """The nodes of which something may be read, in topological order: not those that have ended,
    and not those that wait for others, as most nodes of a long run do. A compensation reads of the
    node that it undoes."""

    def found() -> list[str]:
        return [
            path
            for path in graph.order
            if (status := known.get(path)) is None
            or status.child is not None
            or status.items is not None
            or path in graph.compensations
            or not (path in known.ended or _is_untouched(graph, known, status))
        ]

    return known.kept(graph.places, _unfinished, found)


def _is_untouched(graph: Graph, known: Statuses, status: NodeStatus) -> bool:
    """Whether a node has not begun, and nothing that it waits for has ended."""
    path = status.path
    return (
        status.phase == "Pending"
        and status.reason is None
        and status.parked is None
        and status.loop is None
        and graph.dependencies[path].all.isdisjoint(known.ended)
        and not item_artifacts.takes(graph.nodes[path])
    )


def _event_reads(observed: Observed, known: Statuses, now: datetime) -> frozenset[Selector]:
    """Whom the WorkflowEvents are for that the waiting nodes need to read live."""
    nodes = observed.definition.graph.nodes
    waiting = [known[path] for path in known.paths_in(("Waiting",)) if path in nodes]
    found = (engine_kind(nodes[one.path]).needed_events(observed, one, now) for one in waiting)
    return frozenset().union(*found)


def _input_reads(observed: Observed, known: Mapping[str, NodeStatus], path: str) -> set[str]:
    """Names of the NodeRecords that the expressions of a node may read."""
    status = known.get(path)
    if status is not None and status.phase in FINAL_PHASES:  # Superseding may start in this pass
        return set()
    graph = observed.definition.graph
    if path in graph.finally_nodes and observed.status.stage != "Finalizing":
        return set()
    names = set()
    if status is not None and status.loop is not None and status.loop.previous is not None:
        names.add(status.loop.previous)
    for name in graph.dependencies[path].all:
        upstream = known.get(name)
        if upstream is not None and upstream.phase in FINAL_PHASES:
            names |= records_of(graph.nodes[name], upstream)
    if item_artifacts.takes(graph.nodes[path]):  # the value may come through other nodes
        names |= item_artifacts.records_of(graph.nodes, known.values())
    return names


def _memory_reads(observed: Observed) -> set[str]:
    """The NodeRecord with the memory of the run, if something reads it. Also of nodes that have
    ended: the inputs of one that is undone are evaluated again."""
    memory = observed.status.memory
    reads = memory is not None and observed.definition.memory_readers
    return {memory.record} if memory is not None and reads else set()


def output_reads(observed: Observed, known: Mapping[str, NodeStatus]) -> set[str]:
    """Names of the NodeRecords that the run's outputs refer to."""
    spec, graph = observed.spec, observed.definition.graph
    if spec is None:
        return set()
    names = set()
    for reference in references_in([value for _, value in at_the_end(spec)]):
        status = known.get(reference.node)
        names |= records_of(graph.nodes[reference.node], status) if status else set()
    return names
