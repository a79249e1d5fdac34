"""What a round does with each node, and why: the rules of `spec.rerun`, in order."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from waypost.api.kinds.table import kind_of
from waypost.api.rerun import Rerun
from waypost.api.status import Disposition, NodeStatus
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler import node_settings, on_failure
from waypost.compiler.graph import Graph
from waypost.engine.rounds import races, replaced, undone
from waypost.engine.state.executions import has_run_before, may_have_run
from waypost.engine.state.observed import Observed
from waypost.protocol.reasons import Reason

_CHANGED: Final = frozenset({"Rerun", "New", "Given", "SkippedByUser"})


@dataclass(frozen=True)
class Choice:
    """What the round does with one node, and why."""

    disposition: Disposition | None
    message: str = ""
    continues: bool = False  # a loop after its last iteration that succeeded, or a child run
    undone: bool = False  # a compensation has undone it, so it runs again

    @property
    def changes(self) -> bool:
        """Whether the node has, or will have, another result than before."""
        return self.disposition in _CHANGED


def choices_of(observed: Observed, spec: AgentWorkflowSpec, rerun: Rerun) -> dict[str, Choice]:
    """What the round does with each node of the graph, by path.

    A candidate comes before the first node that decides whether it runs again, so the choices are
    repeated until no further one is reopened.
    """
    graph = observed.definition.graph
    known = {status.path: status for status in observed.status.nodes}
    reopened: frozenset[str] = frozenset()
    while True:
        kept = races.kept_losers(graph, known, reopened)
        choices: dict[str, Choice] = {}
        for path in graph.order:
            choices[path] = _choose(
                observed, spec, rerun, path=path, known=known, choices=choices, kept=kept
            )
        again = {name for name in graph.choosers if choices[name].changes}
        if again <= reopened:
            return choices
        reopened |= again


def _choose(
    observed: Observed,
    spec: AgentWorkflowSpec,
    rerun: Rerun,
    *,
    path: str,
    known: Mapping[str, NodeStatus],
    choices: Mapping[str, Choice],
    kept: frozenset[str],
) -> Choice:
    """Apply the rules in order. `choices` has the nodes before this one in topological order."""
    status, graph = known.get(path), observed.definition.graph
    if path in graph.finally_nodes:
        return _again(status, rerun)
    if path in (rerun.outputs or {}):
        return Choice("Given", "its output is that of rerun.outputs")
    if path in (rerun.skip or []):
        return Choice("SkippedByUser", "named in rerun.skip")
    if status is None:
        return Choice("New", f"new in round {rerun.round}") if known else Choice(None)
    if status.stage is not None:
        return Choice("New", f"moved out of finally in round {rerun.round}")
    if path in (rerun.from_ or []):
        return Choice("Rerun", "named in rerun.from")
    if why := undone.why(known, path):
        return Choice("Rerun", why, undone=True)
    if path in kept:
        return _kept(status)
    why = races.why_stopped(graph, path, known) or _rerun_cause(
        observed, rerun, path=path, status=status, graph=graph, choices=choices
    )
    if not why:
        return _kept(status)
    continues = _continues(observed, path, status, choices)
    once = is_once(spec, graph, path)
    if once and (may_have_run(status) if continues else has_run_before(status)):
        text = f"{why}, but effect: once is repeated only if rerun.from names it"
        return replace(_kept(status), message=text)
    return Choice("Rerun", why, continues)


def _continues(
    observed: Observed, path: str, status: NodeStatus, choices: Mapping[str, Choice]
) -> bool:
    """Whether a loop or a child run that did not succeed continues: neither its definition nor
    anything that it depends on has changed. Of a child run, template and inputs are compared when
    its node starts."""
    if status.loop is None and status.child is None:
        return False
    compared = status.loop is not None or status.child is None
    if compared and status.fingerprint != observed.definition.fingerprints[path]:
        return False
    dependencies = observed.definition.graph.dependencies[path].all
    return not any(choices[name].changes for name in dependencies)


def _again(status: NodeStatus | None, rerun: Rerun) -> Choice:
    """A node of finally runs at the end of every round, also with `effect: once`."""
    if status is None:
        return Choice("New", f"new in round {rerun.round}")
    if status.stage is None:
        return Choice("New", f"moved to finally in round {rerun.round}")
    idle = status.phase == "Pending"
    return Choice(None) if idle else Choice("Rerun", "finally runs at the end of every round")


def _rerun_cause(
    observed: Observed,
    rerun: Rerun,
    *,
    path: str,
    status: NodeStatus,
    graph: Graph,
    choices: Mapping[str, Choice],
) -> str:
    if why := replaced.rerun_cause(graph.nodes[path], status, rerun):
        return why
    if status.phase == "Cancelled":
        return "it was cancelled"
    if status.phase == "Failed" and not (rerun.from_ and on_failure.tolerates(graph.nodes[path])):
        return f"it failed: {status.reason}"
    if is_overdue(status):
        return "it was being stopped for a deadline, and each round has new deadlines"
    if why := _read_again(observed, rerun, path):
        return why
    fingerprint = observed.definition.fingerprints[path]
    if status.fingerprint is not None and status.fingerprint != fingerprint:
        # Before the dependencies: people expect to read about the edit they made.
        gate = kind_of(graph.nodes[path]).is_gate
        return f"its definition {'or one after it ' if gate else ''}has changed"
    source = status.items.source if status.items is not None else None
    if source is not None and source != observed.definition.list_source(path):
        return "the list of its items may have changed"
    for name in sorted(races.deciding(graph, path, status)):
        if choices[name].changes:
            return f"{name} {_CHANGE_TEXT[choices[name].disposition or '']}"
    return ""


def _read_again(observed: Observed, rerun: Rerun, path: str) -> str:
    """Why a node does not keep its checkpoint in a round that reads the memory again."""
    if rerun.memory is None or observed.status.memory is None:
        return ""
    if observed.refreshed is None:  # a preview
        reads = path in observed.definition.memory_readers
        return "what it reads of the memory may have changed" if reads else ""
    return "what it reads of the memory has changed" if path in observed.refreshed else ""


_CHANGE_TEXT: Final = {
    "Rerun": "runs again",
    "New": "is new",
    "Given": "was given a result",
    "SkippedByUser": "is skipped",
}


def _kept(status: NodeStatus) -> Choice:
    if status.phase in ("Succeeded", "Skipped", "Failed") or races.is_loser(status):
        return Choice("Reused", f"as in round {status.round or 1}")
    if status.phase in ("Running", "Waiting", "Backoff"):
        return Choice("Adopted", f"in progress since round {status.round or 1}")
    return Choice(None)


def is_once(spec: AgentWorkflowSpec, graph: Graph, path: str) -> bool:
    """Whether a node has `effect: once`."""
    return node_settings.retries_of(spec, graph.nodes[path]).once


def is_overdue(status: NodeStatus) -> bool:
    """Whether a deadline of the last round stops the running attempt: the next round has its own
    deadlines and cannot adopt it."""
    latest = status.latest_attempt
    late = latest is not None and latest.stopping == Reason.DEADLINE_EXCEEDED
    late = late or (status.items is not None and replaced.is_overdue(status.items))
    late = late or (status.child is not None and status.child.stopping is not None)
    return status.phase == "Running" and late
