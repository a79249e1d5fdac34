"""The graph of a run: the dependencies in expressions, `dependsOn` and `after`.

The form of a reference decides the join (semantics.md, "Joins"): a soft one waits until the
other node has ended, a hard one needs it to have succeeded.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from waypost.api.status import Stage
from waypost.api.workflow import AgentWorkflowSpec, CompensationNode, Node
from waypost.compiler.kinds.table import compiler_kind
from waypost.compiler.modifiers.table import modifier_of
from waypost.expressions.references import RESULTS, Path
from waypost.expressions.templates import expressions_in, references_in

REMEMBERED: Final = "remember.facts"  # evaluated when the node succeeds; `self` is its output


@dataclass(frozen=True)
class Dependencies:
    """What one node waits for: the names of nodes that must succeed (`hard`) or end (`soft`), and
    those between which it chooses once it has begun (`candidates`)."""

    hard: frozenset[str]
    soft: frozenset[str]
    candidates: frozenset[str] = frozenset()

    @cached_property
    def joined(self) -> frozenset[str]:
        """Every node that must have ended before this one begins."""
        return self.hard | self.soft

    @cached_property
    def all(self) -> frozenset[str]:
        """Every node that this one waits for, before it begins or after."""
        return self.joined | self.candidates


@dataclass(frozen=True)
class Graph:
    """A checked, acyclic graph. `order` is topological, stable in the order of the spec, with the
    compensations and then the nodes of `spec.finally` last."""

    nodes: dict[str, Node]
    dependencies: dict[str, Dependencies]
    order: tuple[str, ...]
    finally_nodes: frozenset[str] = frozenset()
    compensations: frozenset[str] = frozenset()  # their paths

    @cached_property
    def choosers(self) -> tuple[str, ...]:
        """The nodes that choose between others, in topological order."""
        return tuple(name for name in self.order if self.dependencies[name].candidates)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place of each node in the topological order."""
        return {name: place for place, name in enumerate(self.order)}

    @cached_property
    def stages(self) -> Mapping[Stage, Mapping[str, None]]:
        """The nodes of each stage, in topological order."""
        found: dict[Stage, dict[str, None]] = {"Main": {}, "Compensating": {}, "Finalizing": {}}
        for name in self.order:
            found[self.stage_of(name) or "Main"][name] = None
        return found

    def stage_of(self, name: str) -> Stage | None:
        """The stage of a node, as its status says it: None for a node of `spec.nodes`."""
        if name in self.compensations:
            return "Compensating"
        return "Finalizing" if name in self.finally_nodes else None

    def downstream(self, name: str) -> frozenset[str]:
        """Every node that waits for `name`, directly or through others.

        No node of finally, and no compensation, is downstream of a main node: it runs however that
        one ends.
        """
        reached = {name}
        for other in self.order:
            if self.stage_of(other) != self.stage_of(name):
                continue
            if self.dependencies[other].all & reached:
                reached.add(other)
        return frozenset(reached - {name})

    def upstream(self, name: str) -> frozenset[str]:
        """Every node that `name` waits for, directly or through others."""
        return reached_from(name, self.dependencies)


def evaluated_fields(node: Node) -> Iterator[tuple[str, Any]]:
    """The fields of a node in which ${...} is evaluated: (field path below the node, value)."""
    for key, value in (node.inputs or {}).items():
        yield f"inputs.{key}", value
    if node.when is not None:
        yield "when", node.when
    yield from compiler_kind(node).evaluated_fields(node)
    if node.concurrency is not None:
        yield "concurrency.key", node.concurrency.key
    if node.remember is not None:
        yield REMEMBERED, node.remember.facts
    for at, taken in enumerate((node.artifacts and node.artifacts.in_) or ()):
        yield f"artifacts.in[{at}].from", taken.from_
    modifier = modifier_of(node)
    if modifier is not None:
        yield from modifier.evaluated_fields(node)


def dependencies_of(node: Node) -> Dependencies:
    """The dependencies of `node`. One with both forms of reference is soft (S32), unless dependsOn
    names it."""
    hard: set[str] = set()
    soft: set[str] = set(node.after or [])
    for _, value in evaluated_fields(node):
        for reference in references_in(value):
            (soft if reference.soft else hard).add(reference.node)
    required = set(node.depends_on or [])
    return Dependencies(
        hard=frozenset((hard - soft) | required),
        soft=frozenset(soft - required),
        candidates=frozenset(compiler_kind(node).candidates(node)),
    )


@dataclass(frozen=True)
class Softening:
    """Why a node waits only for the end of another one and not for its success."""

    cause: str  # the expression and its field, for a message
    of_property: bool  # each such expression only tests for a property of the output


def softened_by(node: Node) -> dict[str, Softening]:
    """Why dependencies of `node` are soft, by name; without those that `dependsOn` names."""
    reasons: dict[str, Softening] = {}
    for name in node.after or []:
        reasons[name] = Softening(f"after: [{name}]", of_property=False)
    for place, value in evaluated_fields(node):
        for compiled in expressions_in(value):
            for path in compiled.paths:
                if path.root != "nodes" or not _is_soft(path):
                    continue
                name = path.fields[0]
                inside = path.fields[1] == "output" and not path.steps[1].guarded
                known = reasons.get(name)
                cause = known.cause if known else f"{compiled.source} in {place}"
                reasons[name] = Softening(cause, inside and (known is None or known.of_property))
    for name in node.depends_on or []:
        reasons.pop(name, None)
    return reasons


def _is_soft(path: Path) -> bool:
    return path.soft or path.fields[1] not in RESULTS


def reached_from(name: str, dependencies: Mapping[str, Dependencies]) -> frozenset[str]:
    """Every node that `name` waits for, directly or through others; `dependencies` may have
    cycles."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for other in dependencies[waiting.pop()].all - found:
            found.add(other)
            if other in dependencies:
                waiting.append(other)
    return frozenset(found)


def find_cycle(dependencies: dict[str, Dependencies]) -> tuple[str, ...]:
    """The names along one cycle, with the first one repeated at the end; empty if there is none."""
    done: set[str] = set()
    for start in dependencies:
        if start not in done:
            cycle = _walk(start, dependencies, done)
            if cycle:
                return cycle
    return ()


def _walk(start: str, dependencies: dict[str, Dependencies], done: set[str]) -> tuple[str, ...]:
    path: list[str] = [start]
    pending = [iter(sorted(dependencies[start].all))]
    while pending:
        step = next(pending[-1], None)
        if step is None:
            pending.pop()
            done.add(path.pop())
        elif step in path:
            return (*path[path.index(step) :], step)
        elif step not in done and step in dependencies:
            path.append(step)
            pending.append(iter(sorted(dependencies[step].all)))
    return ()


def sort(
    nodes: dict[str, Node],
    dependencies: dict[str, Dependencies],
    finally_nodes: frozenset[str] = frozenset(),
) -> Graph:
    """The graph in topological order. The dependencies must be acyclic and name only `nodes`."""
    order: list[str] = []
    placed: set[str] = set()
    waiting = list(nodes)
    while waiting:
        ready = [name for name in waiting if dependencies[name].all <= placed]
        order.extend(ready)
        placed.update(ready)
        waiting = [name for name in waiting if name not in placed]
    order.sort(key=lambda name: name in finally_nodes)  # stable: no main node waits for one of them
    return Graph(nodes, dependencies, tuple(order), finally_nodes)


def with_compensations(
    spec: AgentWorkflowSpec, graph: Graph, paths: Container[str] | None = None
) -> Graph:
    """`graph` with the compensations of its nodes.

    Args:
        spec: The spec of the graph.
        graph: Its graph.
        paths: Only the compensations with these paths; None for all of them.
    """
    added = {
        node.name: node
        for node in spec.compensations
        if node.undoes in graph.nodes and (paths is None or node.name in paths)
    }
    if not added:
        return graph
    main = [name for name in graph.order if name not in graph.finally_nodes]
    last = [name for name in graph.order if name in graph.finally_nodes]
    dependencies = {name: _dependencies(node, graph) for name, node in added.items()}
    return Graph(
        {**graph.nodes, **added},
        {**graph.dependencies, **dependencies},
        (*main, *added, *last),
        graph.finally_nodes,
        frozenset(added),
    )


def _dependencies(node: CompensationNode, graph: Graph) -> Dependencies:
    """What a compensation may read: the node that it undoes, what that one has read, and the nodes
    before it that the compensation refers to. All of them have ended."""
    named = dependencies_of(node).joined & graph.nodes.keys()
    read = graph.dependencies[node.undoes].joined
    return Dependencies(hard=frozenset(), soft=frozenset({node.undoes, *read, *named}))


def undone_by(node: Node) -> str | None:
    """The name of the node that a compensation undoes; None for other nodes."""
    return node.undoes if isinstance(node, CompensationNode) else None
