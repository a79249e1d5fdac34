"""What happens next: a total, pure function from the observed run and the time to a decision.

Read it as the product's specification. No clock, no I/O, no randomness; user errors are
outcomes, never exceptions.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from waypost.api.meta import EventReason
from waypost.engine import start
from waypost.engine.attempts import cleanup, watch
from waypost.engine.items import advance as items
from waypost.engine.items import questions, working
from waypost.engine.memory import begin, facts, outbox, refresh
from waypost.engine.nodes.children import leftovers as child_leftovers
from waypost.engine.nodes.table import KINDS, engine_kind, watching_kind
from waypost.engine.rounds import leftovers, overrides
from waypost.engine.rounds.announcement import round_message
from waypost.engine.run import ending, finalizing, hold, losers, pinning, rejection
from waypost.engine.run.closing import closing_reason
from waypost.engine.run.entry import (
    Active,
    Deleting,
    Entry,
    Halted,
    Held,
    Idle,
    Refreshing,
    Rejected,
    is_stopped_alone,
    refreshed,
    stored,
)
from waypost.engine.run.hold import Hold
from waypost.engine.slots import of_run as slot_of_run
from waypost.engine.state.decision import Decision, PutRecord
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import IN_POD, Transition, is_finished
from waypost.kube.manifests.pod import PodSettings
from waypost.protocol.reasons import Reason

_READ_AGAIN: Final = timedelta(seconds=10)


def decide(entry: Entry, now: datetime, settings: PodSettings) -> Decision:
    """The next status of a run and the actions that follow from it.

    Args:
        entry: The run as this pass entered it, with all `required_reads` loaded.
        now: The time of the pass.
        settings: What the operator's settings add to node pods.

    Returns:
        The whole next status, and the actions around its write. Calling `decide` again with that
        status and the same facts gives the same status, so the next pass repairs a crash at any
        point.
    """
    entry = stored(refreshed(entry, now), now)
    match entry:
        case Refreshing(observed):
            return _waits_to_refresh(observed, now)
        case Deleting(observed):
            return Decision(status=observed.status, after=ending.release_all(observed))
        case Rejected(observed):
            return _reject(observed, entry, now)
        case Halted():
            return _halted(entry, Transition(entry.observed, now=now, settings=settings))
        case Held(observed, held):
            return _held(observed, held, now)
        case Idle(observed):
            return Decision(status=observed.status)
        case Active(observed, round_begun):
            transition = Transition(observed, now=now, settings=settings)
            transition.before += [PutRecord(record) for record in entry.records]
            return _continue(transition, round_begun)


def _held(observed: Observed, held: Hold, now: datetime) -> Decision:
    name = held.waiting.removeprefix("template/") if held.waiting.startswith("template/") else ""
    return replace(hold.decide(observed, held, now), awaits_template=name)


def _waits_to_refresh(observed: Observed, now: datetime) -> Decision:
    """The round has to read its memory again, and that cannot be read or stored: it does not begin
    on a guess."""
    why = refresh.why_not(observed, now)
    if not why:
        return Decision(status=observed.status, requeue_at=now)
    decision = rejection.reject(
        observed, f"rerun.memory: {why}", now, reason=str(Reason.READ_REJECTED)
    )
    return replace(decision, requeue_at=now + _READ_AGAIN)


def _reject(observed: Observed, entry: Rejected, now: datetime) -> Decision:
    known = observed.status.observed_generation == observed.generation
    # An earlier release accepted this spec, and the run has finished since.
    if is_finished(observed.status) and known:
        decision = Decision(status=observed.status, after=ending.release_closed(observed))
    else:
        decision = rejection.reject(observed, entry.problems, now, reason=entry.reason)
    if not entry.awaits_template:
        return replace(decision, requeue_at=entry.retry_at)
    look_again = now + hold.LOOK_AGAIN
    if entry.retry_at is not None:
        look_again = min(look_again, entry.retry_at)
    return replace(decision, awaits_template=entry.awaits_template, requeue_at=look_again)


def _halted(entry: Halted, transition: Transition) -> Decision:
    """The status of a run whose definition is lost or unread, with the nodes whose deadline has
    passed (S465): what a deadline needs is in the status and in the pods.

    Nothing starts, and what runs continues. An attempt is stopped, and closed once its pod is over.
    The items of a map, an iteration and a child run are stopped; how their node ends is decided
    with the definition.
    """
    working.open_maps(transition)
    for path in transition.in_phase(*IN_POD):
        if is_stopped_alone(transition.statuses[path]):
            watch.advance(transition, path)
    ending.enforce_deadlines(transition)
    working.close_maps(transition)
    transition.after += cleanup.seal_closed(transition)
    transition.after += cleanup.stop_sidecars(transition)
    transition.after += cleanup.release_closed(transition)
    observed = replace(entry.observed, status=ending.with_nodes(transition))
    decision = rejection.reject(observed, entry.problems, transition.now, reason=entry.reason)
    return replace(
        decision,
        before=tuple(transition.before),
        after=tuple(transition.after),
        events=(*decision.events, *transition.events),
        refusals=tuple(transition.refusals),
        traces=dict(transition.traces),
        awaits_template=entry.awaits_template,
        requeue_at=min((*transition.timers, *entry.look_again), default=None),
    )


def _continue(transition: Transition, round_begun: bool) -> Decision:
    status = transition.observed.status
    transition.before += pinning.records(transition.observed)
    outbox.empty(transition)
    if round_begun:
        transition.event("Normal", EventReason.ROUND_BEGUN, round_message(status))
    if not is_finished(status):
        _advance(transition)
    else:
        _clean_up(transition)
    facts.keep(transition)
    transition.read_again()
    transition.after += cleanup.seal_closed(transition)
    transition.after += cleanup.stop_sidecars(transition)
    transition.after += cleanup.release_closed(transition)
    transition.after += leftovers.stop(transition)
    child_leftovers.release(transition)
    return ending.build_decision(transition)


def _advance(transition: Transition) -> None:
    working.open_maps(transition)
    _advance_nodes(transition)
    working.close_maps(transition)


def _advance_nodes(transition: Transition) -> None:
    for path in transition.in_phase(*IN_POD):
        if path in transition.maps:
            items.advance(transition, path, _watch)
        else:
            _watch(transition, path)
    overrides.apply_overrides(transition)
    _clean_up(transition)
    ending.enforce_deadlines(transition)
    losers.withdraw_gates(transition)
    _advance_waiting(transition)
    losers.drop(transition)
    # The end of a waiting node may have failed the run.
    closing = closing_reason(transition)
    if closing is not None:
        ending.wind_down(transition, closing)
        return
    if _may_start(transition):
        start.start_ready(transition)
    closing = closing_reason(transition)
    if closing is not None:
        ending.wind_down(transition, closing)


def _may_start(transition: Transition) -> bool:
    """Whether nodes may start. The memory comes last: the run reads it when it begins."""
    has_slot = slot_of_run.may_start(transition)
    return has_slot and finalizing.may_start(transition) and begin.may_start(transition)


def _advance_waiting(transition: Transition) -> None:
    """Advance what waits for people and times, and then the nodes that choose between others: the
    write that records the end of a candidate records the choice (S223)."""
    closing, unneeded = closing_reason(transition), losers.losers(transition)
    waiting = [path for path in transition.in_phase("Waiting") if path not in unneeded]
    choosers = [path for path in waiting if path in transition.graph.choosers]
    for path in waiting:
        if path not in choosers:
            _advance_of(transition)(path)(transition, path, withdraw=closing is not None)
    questions.advance(transition, _advance_of(transition), closing)
    closing = closing_reason(transition)  # a gate may have failed the run
    for path in choosers:
        _advance_of(transition)(path)(transition, path, withdraw=closing is not None)


def _advance_of(transition: Transition) -> Callable[[str], Callable[..., None]]:
    return lambda path: engine_kind(transition.node(path)).advance


def _watch(transition: Transition, path: str) -> None:
    """Watch what a node has started. A round may have made it a node of another kind since."""
    status = transition.statuses[path]
    kind = watching_kind(transition.node(path), status)
    advance = kind.watch if status.open_attempt is None else None
    (advance or watch.advance)(transition, path)


def _clean_up(transition: Transition) -> None:
    for kind in KINDS.values():
        kind.clean_up(transition)
