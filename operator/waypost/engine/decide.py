"""What happens next: a total, pure function from what was observed and the time to a decision.

Read it as the product's specification. No clock, no I/O, no randomness; user errors are
outcomes, never exceptions.
"""

from datetime import datetime

from waypost.api.status import FINAL_PHASES, NodeStatus
from waypost.api.workflow import POD_KINDS
from waypost.engine import (
    attempts,
    cancelling,
    deadlines,
    ending,
    gates,
    holding,
    joins,
    kept,
    machines,
    people,
    refusal,
    rounds,
    summary,
    traces,
    waits,
)
from waypost.engine.draft import Draft
from waypost.engine.graph import kind_of
from waypost.engine.inputs import Invalid, resolve
from waypost.engine.model import After, Decision, Observed, ReleasePod, StopAttempt, Wants
from waypost.engine.pods import PodSettings
from waypost.engine.policy import DEFAULT_PARALLELISM
from waypost.engine.scope import record_of
from waypost.protocol.reasons import Reason

LAUNCHES_PER_PASS = 20  # so that acting on a fence stays short, and a cancel is seen


def plan(observed: Observed, now: datetime) -> Wants:
    """What `decide` needs beside the cached facts; ask again after each thing was loaded."""
    observed = cancelling.as_it_stands(observed)
    if observed.deleting or refusal.is_refused(observed):
        return Wants()
    observed = rounds.begin(observed, now)
    known = {status.path: status for status in observed.status.nodes}
    graph = observed.definition.graph
    live = references = False
    logs = []
    mounts = []
    silent: set[str] = set()
    payloads: set[str] = set()
    records: set[str] = set()
    for path in graph.order:
        status = known.get(path)
        if status and status.phase in attempts.IN_POD:
            live = live or attempts.wants_live(observed, status, now)
            live = live or machines.wants_live(observed, status, now)
            silent |= machines.wanted(observed, status, now)
            logs += attempts.wanted_logs(observed, status, kind_of(graph.nodes[path]))
            mounts += attempts.wanted_mounts(observed, status, now)
            records |= kept.wanted(observed, status, kind_of(graph.nodes[path]), now)
            records |= traces.wanted(observed, status)
        elif status and status.phase == "Waiting" and graph.nodes[path].approval:
            live = live or (status.approval or "") not in observed.approvals
        references = references or holding.wants_references(status, now)
        payloads |= _records_wanted(observed, known, path)
    if not summary.is_finished(observed.status):
        payloads |= ending.records_wanted(observed, known)
    return Wants(
        payloads=frozenset(payloads - set(observed.payloads)),
        records=frozenset(records - set(observed.records)),
        logs=tuple(logs),
        live=live and not observed.live,
        references=references and not observed.references_live,
        mounts=tuple(mounts),
        machines=frozenset(silent),
    )


def decide(observed: Observed, now: datetime, settings: PodSettings) -> Decision:
    """The next status of a run and the actions that follow from it.

    Whatever `plan` wanted must have been loaded. Calling it again with the status it returned
    and the same facts gives the same status: a crash at any point is repaired by the next pass.
    """
    if observed.deleting:
        return Decision(status=observed.status, after=ending.release_all(observed))
    observed = cancelling.as_it_stands(observed)
    if refusal.is_refused(observed):
        known = observed.status.observed_generation == observed.generation
        if summary.is_finished(observed.status) and known:  # under the rules of an earlier release
            return Decision(status=observed.status, after=ending.release_closed(observed))
        return refusal.refuse(observed, now)
    begun = rounds.begin(observed, now)
    draft = Draft(begun, now=now, settings=settings)
    if begun is not observed:
        draft.note("Normal", "RoundBegun", rounds.tell(begun.status))
    if not summary.is_finished(begun.status):
        _advance(draft)
    draft.after += _sealed(draft)
    draft.after += _releases(draft)
    draft.after += _strays(draft)
    return ending.conclude(draft)


def _advance(draft: Draft) -> None:
    for path in draft.in_phase(*attempts.IN_POD):
        attempts.settle(draft, path)
    people.apply(draft)
    gates.withdraw_superseded(draft)
    ending.end_overdue(draft)
    closing = ending.closing_reason(draft)
    for path in draft.in_phase("Waiting"):
        if draft.node(path).approval:
            gates.settle_gate(draft, path, withdraw=closing is not None)
        elif closing is None:
            waits.settle_wait(draft, path)
    # Settling a gate may itself have failed the run.
    closing = ending.closing_reason(draft)
    if closing is not None:
        ending.close(draft, closing)
        return
    _start_what_is_ready(draft)


def _start_what_is_ready(draft: Draft) -> None:
    busy = len(draft.in_phase(*attempts.IN_POD))
    free = (draft.spec.parallelism or DEFAULT_PARALLELISM) - busy
    capped = free > LAUNCHES_PER_PASS
    free = min(free, LAUNCHES_PER_PASS)
    for path in draft.graph.order:
        status = draft.statuses[path]
        if status.phase == "Pending":
            _skip_or_start(draft, path, room=free > 0)
        elif status.phase == "Backoff":
            _try_again(draft, path, status, room=free > 0)
        phase = draft.statuses[path].phase
        if status.phase in ("Pending", "Backoff") and phase != status.phase:
            draft.stamp(path)
        if phase == "Running" and status.phase != "Running":
            free -= 1
        closing = ending.closing_reason(draft) if phase == "Failed" else None
        if closing is not None:
            ending.close(draft, closing)
            return
    if capped and free <= 0:
        draft.wake(draft.now)  # for the rest: the write of this status wakes nobody


def _skip_or_start(draft: Draft, path: str, *, room: bool) -> None:
    """S33: hard dependencies, then `when`, then inputs and their schema."""
    join = joins.judge(draft, path)
    if join is joins.READY:
        deadlines.begin(draft, path)
    if join is joins.WAIT or (join is joins.READY and draft.spec.suspend):
        return
    if isinstance(join, joins.Skip):
        draft.end(path, "Skipped", join.reason, join.message)
        return
    has_pod = kind_of(draft.node(path)) in POD_KINDS
    if has_pod and not room:
        return
    opened = joins.condition(draft, path)
    if isinstance(opened, Invalid):
        draft.end(path, "Failed", Reason.INPUT_INVALID, opened.message)
    elif not opened:
        draft.end(path, "Skipped", Reason.CONDITION_FALSE, "when was false")
    else:
        _start(draft, path)


def _start(draft: Draft, path: str) -> None:
    inputs = resolve(draft, path)
    if isinstance(inputs, Invalid):
        draft.end(path, "Failed", Reason.INPUT_INVALID, inputs.message)
        return
    kind = kind_of(draft.node(path))
    if kind == "approval":
        gates.open_gate(draft, path, inputs)
    elif kind == "wait":
        waits.start_wait(draft, path, inputs)
    else:
        attempts.launch(draft, path, inputs)


def _try_again(draft: Draft, path: str, status: NodeStatus, *, room: bool) -> None:
    due = summary.wake_time(status)
    if due is not None and draft.now < due:
        draft.wake(due)
    elif room and not draft.spec.suspend:
        _start(draft, path)


def _records_wanted(observed: Observed, known: dict[str, NodeStatus], path: str) -> set[str]:
    """NodeRecords that a node's expressions may read, once all it waits for has ended."""
    status = known.get(path)
    if status is not None and status.phase in FINAL_PHASES:  # Superseding may start in this pass
        return set()
    graph = observed.definition.graph
    wanted = set()
    for name in graph.edges[path].all:
        upstream = known.get(name)
        record = record_of(graph.nodes[name], upstream) if upstream else None
        if record:
            wanted.add(record)
    return wanted


def _strays(draft: Draft) -> list[After]:
    """Pods of nodes that a round took out of the spec: stopped and let go."""
    strays: list[After] = []
    for pod in draft.observed.pods:
        # A pod of a later round is not known to this copy of the status yet.
        if pod.path in draft.statuses or pod.round >= draft.observed.status.round:
            continue
        if not pod.over and not pod.deleting:
            strays.append(StopAttempt(job=draft.job_of(pod), pods=(pod,)))
        if pod.held:
            strays.append(ReleasePod(name=pod.name, uid=pod.uid))
    return strays


def _sealed(draft: Draft) -> list[StopAttempt]:
    """Pods of closed attempts that may still run, on machines that were given up: stopped as soon
    as the machine is back, however often it takes."""
    return [
        StopAttempt(job=draft.job_of(pod), pods=(pod,))
        for pod in draft.observed.pods
        if draft.has_closed(pod) and not pod.over and not pod.deleting
    ]


def _releases(draft: Draft) -> list[ReleasePod]:
    """Pods whose result is checkpointed by this status: their finalizer may go."""
    return [
        ReleasePod(name=pod.name, uid=pod.uid)
        for pod in draft.observed.pods
        if pod.held and draft.has_closed(pod)
    ]
