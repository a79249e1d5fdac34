"""Rounds: what a person who raises `spec.rerun.round` makes of the checkpoints of a run.

A round begins as a change of the status alone, before anything else is decided in that pass; so
one status write begins it and records the first attempts of it, and a crash repeats both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from waypost.api.kinds.table import kind_of
from waypost.api.meta import Condition
from waypost.api.rerun import Rerun
from waypost.api.status import (
    KEPT_ROUNDS,
    AgentWorkflowStatus,
    AttemptStatus,
    Disposition,
    NodeStatus,
    RoundStatus,
)
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler import node_settings, on_failure
from waypost.compiler.graph import Graph
from waypost.compiler.problems import Problem
from waypost.engine.budget.usage import total
from waypost.engine.state.observed import Observed
from waypost.kube import timestamps
from waypost.protocol.reasons import Reason

# Of these dispositions the node has, or will have, another result than before.
_ANEW: Final = frozenset({"Rerun", "New", "Given", "SkippedByUser"})


@dataclass(frozen=True)
class _Fate:
    """What the round makes of one node, and why."""

    disposition: Disposition | None
    message: str = ""


def is_requested(observed: Observed) -> bool:
    """Whether the spec asks for a round that has not begun."""
    asked = observed.spec.rerun if observed.spec is not None else None
    return asked is not None and asked.round > observed.status.round


def problems(observed: Observed) -> tuple[Problem, ...]:
    """Why the round that the spec asks for cannot begin; empty when none is asked for."""
    if not is_requested(observed):
        return ()
    if observed.definition.problems:
        return observed.definition.problems
    if observed.status.cancelled_at:
        text = "the run was cancelled, which is final; create a new run"
        return (Problem("rerun.round", text),)
    return tuple(_unrepeatable(observed))


def begin_round(observed: Observed, now: datetime) -> Observed:
    """The run as the round that its spec asks for finds it; unchanged when none is asked for.
    The round must have no `problems`."""
    if not is_requested(observed):
        return observed
    before = observed.status
    spec, asked = _asked(observed)
    fates = _fates(observed, spec, asked)
    known = {status.path: status for status in before.nodes}
    nodes = [
        _begun(known.get(name), path=name, fate=fates[name], asked=asked)
        for name in observed.definition.graph.nodes
    ]
    gone = [status for path, status in known.items() if path not in fates]
    moment = timestamps.timestamp(now)
    status = before.model_copy(
        update={
            "round": asked.round,
            "round_started_at": moment,
            "rounds": _history(observed, moment),
            "nodes": nodes,
            "phase": "Running",
            "finished_at": None,
            "inputs": None,
            "outputs": None,
            "retired_usage": total((before.retired_usage, *(status.usage for status in gone))),
        }
    )
    return replace(observed, status=status)


def round_message(status: AgentWorkflowStatus) -> str:
    """A sentence on what a round does, for an Event."""
    counts: dict[str, int] = {}
    for node in status.nodes:
        if node.disposition:
            counts[node.disposition] = counts.get(node.disposition, 0) + 1
    told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"round {status.round} begins: {told or 'nothing was there before'}"


def _asked(observed: Observed) -> tuple[AgentWorkflowSpec, Rerun]:
    spec = observed.spec
    assert spec is not None, "a round is asked for by a spec"
    assert spec.rerun is not None, "a round is asked for by a spec"
    return spec, spec.rerun


def _fates(observed: Observed, spec: AgentWorkflowSpec, asked: Rerun) -> dict[str, _Fate]:
    graph = observed.definition.graph
    known = {status.path: status for status in observed.status.nodes}
    fates: dict[str, _Fate] = {}
    for path in graph.order:
        fates[path] = _fate(observed, spec, asked, path=path, known=known, fates=fates)
    return fates


def _fate(
    observed: Observed,
    spec: AgentWorkflowSpec,
    asked: Rerun,
    *,
    path: str,
    known: Mapping[str, NodeStatus],
    fates: Mapping[str, _Fate],
) -> _Fate:
    """The rules in their order; `fates` has those of the nodes that come before."""
    status, graph = known.get(path), observed.definition.graph
    if path in (asked.outputs or {}):
        return _Fate("Given", "its output is that of rerun.outputs")
    if path in (asked.skip or []):
        return _Fate("SkippedByUser", "named in rerun.skip")
    if status is None:
        return _Fate("New", f"new in round {asked.round}") if known else _Fate(None)
    if path in (asked.from_ or []):
        return _Fate("Rerun", "named in rerun.from")
    why = _why_anew(observed, asked, path=path, status=status, graph=graph, fates=fates)
    if not why:
        return _kept(status)
    if is_once(spec, graph, path) and may_have_run(status):
        text = f"{why}, but effect: once is repeated only if rerun.from names it"
        return replace(_kept(status), message=text)
    return _Fate("Rerun", why)


def _why_anew(
    observed: Observed,
    asked: Rerun,
    *,
    path: str,
    status: NodeStatus,
    graph: Graph,
    fates: Mapping[str, _Fate],
) -> str:
    if status.phase == "Cancelled":
        return "it was cancelled"
    if status.phase == "Failed" and not (asked.from_ and on_failure.tolerates(graph.nodes[path])):
        return f"it failed: {status.reason}"
    if _is_overdue(status):
        return "it was being stopped for a deadline, and clocks begin anew"
    fingerprint = observed.definition.fingerprints[path]
    if status.fingerprint is not None and status.fingerprint != fingerprint:
        # Before the edges: an edit is what the person knows of.
        gate = kind_of(graph.nodes[path]).is_gate
        return f"its definition {'or one after it ' if gate else ''}has changed"
    for name in sorted(graph.dependencies[path].all):
        if fates[name].disposition in _ANEW:
            return f"{name} {_ANEW_WORDS[fates[name].disposition or '']}"
    return ""


_ANEW_WORDS: Final = {
    "Rerun": "runs again",
    "New": "is new",
    "Given": "was given a result",
    "SkippedByUser": "is left out",
}


def _kept(status: NodeStatus) -> _Fate:
    if status.phase in ("Succeeded", "Skipped", "Failed"):
        return _Fate("Reused", f"as in round {status.round or 1}")
    if status.phase in ("Running", "Waiting", "Backoff"):
        return _Fate("Adopted", f"under way since round {status.round or 1}")
    return _Fate(None)


def _begun(status: NodeStatus | None, *, path: str, fate: _Fate, asked: Rerun) -> NodeStatus:
    """The checkpoint with which a node begins the round."""
    told = {"disposition": fate.disposition, "disposition_message": fate.message or None}
    if fate.disposition not in _ANEW and status is not None and status.phase != "Superseding":
        return status.model_copy(update=told)
    repeated = path in (asked.from_ or [])
    fresh = NodeStatus(path=path, phase="Pending", round=asked.round)
    if status is None:
        return fresh.model_copy(update={**told, "repeats": 1 if repeated else None})
    attempts = list(status.attempts or [])
    running = bool(attempts) and attempts[-1].finished_at is None
    if running:
        attempts[-1] = _superseded(attempts[-1])
    changes = {
        **told,
        "phase": "Superseding" if running else "Pending",
        "repeats": ((status.repeats or 0) + repeated) or None,
        "attempt": status.attempt,
        "attempts": attempts or None,
        "usage": status.usage,
        "wake_at": None,
    }
    return fresh.model_copy(update=changes)


def _superseded(attempt: AttemptStatus) -> AttemptStatus:
    reason = attempt.stopping or str(Reason.SUPERSEDED)
    return attempt.model_copy(update={"stopping": reason})


def _history(observed: Observed, moment: str) -> list[RoundStatus] | None:
    """The rounds before, the present one with them; None for a run that never began."""
    status = observed.status
    if not status.nodes:
        return status.rounds
    verdict = next((c for c in status.conditions if c.type == Condition.SUCCEEDED), None)
    ended = RoundStatus(
        round=status.round,
        started_at=status.round_started_at or status.started_at,
        ended_at=status.finished_at or moment,
        phase=status.phase,
        message=(verdict.message[:512] if verdict else "") or None,
        generation=status.observed_generation or None,
        launched=sum(node.attempt or 0 for node in status.nodes),
    )
    return [*(status.rounds or []), ended][-KEPT_ROUNDS:]


def is_once(spec: AgentWorkflowSpec, graph: Graph, path: str) -> bool:
    """Whether a node may take effect once only."""
    return node_settings.retries_of(spec, graph.nodes[path]).once


def may_have_run(status: NodeStatus) -> bool:
    """Whether the program of any attempt may have started. What is no longer listed counts."""
    listed = status.attempts or []
    return (status.attempt or 0) > len(listed) or any(not a.never_started for a in listed)


def _unrepeatable(observed: Observed) -> Iterator[Problem]:
    """Nodes with effect: once that broke off: nobody but a person can say what now (S53)."""
    spec, asked = _asked(observed)
    named = {*(asked.from_ or []), *(asked.outputs or {}), *(asked.skip or [])}
    graph = observed.definition.graph
    for status in observed.status.nodes:
        path = status.path
        if path in named or path not in graph.nodes:
            continue
        if on_failure.tolerates(graph.nodes[path]) and status.phase == "Failed":
            continue
        why = _why_unsure(status)
        if why and is_once(spec, graph, path) and may_have_run(status):
            yield Problem(
                "rerun",
                f"node {path} has effect: once, {why} and may have taken effect; name it in "
                "rerun.from to run it again, give its result in rerun.outputs, or leave it out "
                "with rerun.skip",
            )


def _why_unsure(status: NodeStatus) -> str:
    if status.phase in ("Failed", "Cancelled"):
        return f"ended {status.phase} ({status.reason})"
    if _is_overdue(status):
        return "is being stopped for a deadline"
    undone = status.phase in ("Pending", "Superseding")
    if undone and status.disposition in ("Given", "SkippedByUser"):
        # It would run: what the person decided was for that round.
        return f"was decided on in round {status.round}, which did not come to it,"
    return ""


def _is_overdue(status: NodeStatus) -> bool:
    """Whether a deadline of the round before ends the attempt under way: it has no place in a round
    with clocks of its own."""
    latest = status.latest_attempt
    late = latest is not None and latest.stopping == Reason.DEADLINE_EXCEEDED
    return status.phase == "Running" and late
