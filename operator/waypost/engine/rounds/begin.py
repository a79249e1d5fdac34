"""Rounds: which checkpoints of a run stay when a person raises `spec.rerun.round`.

A round begins as a change of the status only, before anything else is decided in that pass. So one
status write begins it and records its first attempts, and a crash repeats both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from waypost.api.changes import (
    NodeChanges,
    changed_attempt,
    changed_items,
    changed_loop,
    changed_memory,
    changed_node,
    changed_run,
)
from waypost.api.meta import Condition
from waypost.api.rerun import Rerun
from waypost.api.state.round import RoundStatus
from waypost.api.status import (
    KEPT_ROUNDS,
    AttemptStatus,
    LoopStatus,
    NodeStatus,
    Stage,
)
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler import on_failure
from waypost.compiler.problems import Problem
from waypost.engine.nodes.children import patches as children
from waypost.engine.rounds import dispositions, races, replaced, undone
from waypost.engine.rounds.dispositions import Choice
from waypost.engine.state.executions import attempts_since_iteration, may_have_run
from waypost.engine.state.observed import Observed
from waypost.engine.state.usage import total
from waypost.kube import timestamps
from waypost.protocol.reasons import Reason


def is_requested(observed: Observed) -> bool:
    """Whether the spec requests a round that has not begun."""
    rerun = observed.spec.rerun if observed.spec is not None else None
    return rerun is not None and rerun.round > observed.status.round


def problems(observed: Observed) -> tuple[Problem, ...]:
    """Why the round that the spec requests cannot begin; empty if none is requested."""
    if not is_requested(observed):
        return ()
    if observed.definition.problems:
        return observed.definition.problems
    _, rerun = _request(observed)
    if observed.status.cancelled_at:
        text = "the run was cancelled, which is final; create a new run"
        return (Problem("rerun.round", text),)
    return (*replaced.unknown_items(observed, rerun), *_unrepeatable(observed))


def undecided(observed: Observed) -> Problem | None:
    """What a person must decide before the next round can begin; None if a round that names no
    node is not refused."""
    spec, status = observed.spec, observed.status
    if spec is None:
        return None
    plain = spec.model_copy(update={"rerun": Rerun(round=status.round + 1)})
    asked = replace(observed, definition=replace(observed.definition, spec=plain))
    return next(_unrepeatable(asked), None)


def begin_round(observed: Observed, now: datetime) -> Observed:
    """The run with the round begun that its spec requests; the same object if none is requested.

    The round must have no `problems`.
    """
    if not is_requested(observed):
        return observed
    before = observed.status
    spec, rerun = _request(observed)
    choices = dispositions.choices_of(observed, spec, rerun)
    known = {status.path: status for status in before.nodes}
    nodes = [
        _begun(
            observed,
            known.get(name),
            path=name,
            choice=choices[name],
            rerun=rerun,
            stage=observed.definition.graph.stage_of(name),
        )
        for name in observed.definition.graph.nodes
    ]
    nodes = [_with_undo_attempts(status, known) for status in nodes]
    gone = [status for path, status in known.items() if path not in choices]
    moment = timestamps.timestamp(now)
    status = changed_run(
        before,
        round=rerun.round,
        round_started_at=moment,
        rounds=_history(observed, moment),
        nodes=nodes,
        phase="Running",
        stage="Main" if observed.definition.graph.finally_nodes or spec.compensations else None,
        verdict=None,
        compensate_deadline_at=None,
        finally_deadline_at=None,
        finished_at=None,
        inputs=None,
        outputs=None,
        memory=before.memory and changed_memory(before.memory, end=None),
        retired_usage=total((before.retired_usage, *(status.usage for status in gone))),
    )
    return replace(observed, status=status)


def _request(observed: Observed) -> tuple[AgentWorkflowSpec, Rerun]:
    spec = observed.spec
    assert spec is not None, "a round is requested by a spec"
    assert spec.rerun is not None, "a round is requested by a spec"
    return spec, spec.rerun


def _begun(
    observed: Observed,
    status: NodeStatus | None,
    *,
    path: str,
    choice: Choice,
    rerun: Rerun,
    stage: Stage | None,
) -> NodeStatus:
    """The checkpoint with which a node begins the round."""
    disposition: NodeChanges = {
        "disposition": choice.disposition,
        "disposition_message": choice.message or None,
    }
    kept = not choice.changes and stage is None
    if kept and status is not None and status.phase != "Superseding":
        return changed_node(status, **disposition)
    repeats = _repeats(status, path=path, rerun=rerun, stage=stage, undone=choice.undone)
    fresh = NodeStatus(path=path, stage=stage, phase="Pending", round=rerun.round, repeats=repeats)
    if choice.continues and status is not None:
        fresh = changed_node(fresh, loop=_continued(status))
    fresh = changed_node(fresh, **disposition)
    if status is None:
        return fresh
    attempts = list(status.attempts or [])
    child = children.in_next_round(observed, status, continues=choice.continues)
    stops = child is not None and child.stopping is not None
    running = stops or (bool(attempts) and attempts[-1].finished_at is None)
    if running and attempts:
        attempts[-1] = _superseded(attempts[-1])
    items = replaced.next_list(observed.definition, status, rerun)
    running = running or (items is not None and replaced.is_running(items))
    return changed_node(
        fresh,
        phase="Superseding" if running else "Pending",
        attempt=status.attempt,
        attempts=attempts or None,
        usage=status.usage,
        image=None if path in (rerun.from_ or []) else status.image,
        child=child,
        event=status.event,
        wake_at=None,
        items=items,
        # A loop that is cancelled before it starts continues in the round after it.
        fingerprint=status.fingerprint if items is not None or choice.continues else None,
    )


def _continued(status: NodeStatus) -> LoopStatus | None:
    """The loop with the iteration after the last one that succeeded, and a fresh count."""
    loop = status.loop
    if loop is None:
        return None
    number = loop.number + (1 if _is_over(status, loop) else 0)
    return changed_loop(loop, number=number, begun=number)


def _is_over(status: NodeStatus, loop: LoopStatus) -> bool:
    """Whether the current iteration has succeeded: after repeat.max iterations it has, during a
    pause the next one is current."""
    if status.child is not None:
        return children.has_given_iteration(status)
    latest = status.latest_attempt
    ended = attempts_since_iteration(status) == 0 and latest is not None
    return ended and latest is not None and latest.iteration == loop.number


def _with_undo_attempts(status: NodeStatus, known: Mapping[str, NodeStatus]) -> NodeStatus:
    """A later compensation continues the count of attempts: their Jobs have the names. What was
    undone of a map is not kept, whatever becomes of the map in this round."""
    if status.items is not None and undone.may_have_undone(known, status.path):
        kept = changed_items(status.items, reusable=None, continues=None)
        status = changed_node(status, items=kept)
    number = undone.latest_attempt(known, status.path)
    return status if number is None else changed_node(status, undo_attempts=number)


def _repeats(
    status: NodeStatus | None, *, path: str, rerun: Rerun, stage: Stage | None, undone: bool
) -> int | None:
    """The number that gives the node another idempotency key and another journal: in finally the
    round, else how often a person has asked for a repetition or an undone node runs again. With
    the old key, the other side would answer with what was undone."""
    if stage is not None:
        return rerun.round - 1
    repeated = (
        undone or path in (rerun.from_ or []) or (status is not None and status.stage is not None)
    )
    return (((status.repeats if status else None) or 0) + repeated) or None


def _superseded(attempt: AttemptStatus) -> AttemptStatus:
    reason = attempt.stopping or str(Reason.SUPERSEDED)
    return changed_attempt(attempt, stopping=reason)


def _history(observed: Observed, moment: str) -> list[RoundStatus] | None:
    """The rounds up to and including the current one; None for a run that never began."""
    status = observed.status
    if not status.nodes:
        return status.rounds
    condition = next((c for c in status.conditions if c.type == Condition.SUCCEEDED), None)
    ended = RoundStatus(
        round=status.round,
        started_at=status.round_started_at or status.started_at,
        ended_at=status.finished_at or moment,
        phase=status.phase,
        message=(condition.message[:512] if condition else "") or None,
        generation=status.observed_generation or None,
        launched=sum(node.attempt or 0 for node in status.nodes),
    )
    return [*(status.rounds or []), ended][-KEPT_ROUNDS:]


def _unrepeatable(observed: Observed) -> Iterator[Problem]:
    """A problem for each interrupted node with `effect: once`: a person must decide on it (S53)."""
    spec, rerun = _request(observed)
    named = {*(rerun.from_ or []), *(rerun.outputs or {}), *(rerun.skip or [])}
    graph = observed.definition.graph
    known = {status.path: status for status in observed.status.nodes}
    left = [path for path in graph.order if path not in named and path not in graph.finally_nodes]
    once = [path for path in left if dispositions.is_once(spec, graph, path)]
    yield from undone.problems(known, left, once)
    for status in observed.status.nodes:
        path = status.path
        if path in named or path not in graph.nodes or undone.may_have_undone(known, path):
            continue
        if path in graph.finally_nodes or status.stage is not None:
            continue
        if on_failure.tolerates(graph.nodes[path]) and status.phase == "Failed":
            continue
        why = _why_unsure(status)
        if why and dispositions.is_once(spec, graph, path) and may_have_run(status):
            yield Problem(
                "rerun",
                f"node {path} has effect: once, {why} and may have taken effect; name it in "
                "rerun.from to run it again, give its result in rerun.outputs, or leave it out "
                "with rerun.skip",
            )


def _why_unsure(status: NodeStatus) -> str:
    if status.phase in ("Failed", "Cancelled") and not races.is_loser(status):
        return f"ended {status.phase} ({status.reason})"
    if dispositions.is_overdue(status):
        return "is being stopped for a deadline"
    if ending := replaced.why_ending(status):
        return ending
    undone = status.phase in ("Pending", "Superseding")
    if undone and status.disposition in ("Given", "SkippedByUser"):
        # It would run now: the override of the person was for the earlier round only.
        return f"had an override in round {status.round}, which did not reach it,"
    return ""
