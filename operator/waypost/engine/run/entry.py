"""How a pass enters a run: once, before anything is read or decided.

What a pass reads later never changes the run's status or spec (a live read that finds another
version of the run ends the pass), so the result is valid for the whole pass.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from waypost.api.base import JsonObject
from waypost.api.meta import ConditionReason
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.compiler.origin import Fresh, Lost, Missing, Settled, Unread
from waypost.engine.memory import refresh
from waypost.engine.rounds.begin import begin_round, is_requested
from waypost.engine.run import (
    cancel_rejected,
    compensating,
    deferred_round,
    hold,
    pinning,
    rejection,
)
from waypost.engine.run.hold import Hold
from waypost.engine.state.observed import Observed
from waypost.engine.state.transition import is_finished
from waypost.protocol.reasons import Reason


@dataclass(frozen=True)
class Deleting:
    """The run is being deleted: it only releases its pods."""

    observed: Observed


@dataclass(frozen=True)
class Rejected:
    """The spec, or the round that it requests, cannot be run; `problems` says why, `reason` in one
    word. `awaits_template` names the template whose changes may help, `retry_at` says when to look
    again in any case."""

    observed: Observed
    problems: str
    reason: str = ConditionReason.INVALID_SPEC
    awaits_template: str = ""
    retry_at: datetime | None = None


@dataclass(frozen=True)
class Halted:
    """The definition of an accepted run is not there: its record is lost or cannot be read.

    `observed` has stand-in nodes. Nothing starts; deadlines of nodes still end them. The other
    fields are as those of Rejected; `look_again` has the times at which to look again.
    """

    observed: Observed
    problems: str
    reason: str
    awaits_template: str = ""
    look_again: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Held:
    """The run is not accepted yet, and not rejected; `hold` says why."""

    observed: Observed
    hold: Hold


@dataclass(frozen=True)
class Idle:
    """A rejected run whose spec has not changed since: its status stays as it is."""

    observed: Observed


@dataclass(frozen=True)
class Active:
    """The run can continue.

    `observed` has the requested round begun, and names the definition of the run; `round_begun`
    says whether this pass begins it. `stored` is the status before both.
    """

    observed: Observed
    round_begun: bool = False
    stored: AgentWorkflowStatus | None = None
    records: tuple[JsonObject, ...] = ()  # NodeRecords that the begun round refers to


@dataclass(frozen=True)
class Refreshing:
    """The round that the spec requests reads the memory again, and has to read first."""

    observed: Observed


Entry = Deleting | Rejected | Halted | Held | Idle | Active | Refreshing


def enter(observed: Observed, now: datetime) -> Entry:
    """Which case the run is in. Pure: the same facts give the same case."""
    if observed.deleting or _has_lost_its_parent(observed):
        return Deleting(observed)
    if problem := _unexpected(observed):
        return Rejected(observed, problem)
    origin = observed.origin
    if isinstance(origin, Settled):
        return _settled(observed)
    if isinstance(origin, Missing):
        return _missing(observed, origin)
    if isinstance(origin, Lost):
        return _lost(observed, origin, now)
    if isinstance(origin, Unread):
        return _unread(observed, origin, now)
    if deferred_round.is_deferred(observed):
        return Active(deferred_round.with_recorded_nodes(observed, now))
    problems = rejection.problems_of(observed)
    if problems:
        text = rejection.problems_text(observed, problems)
        return _standing_in(observed, text) or Rejected(observed, text)
    if (held := _held_back(observed, now)) is not None:
        return held
    if is_requested(observed) and refresh.reads_again(observed):
        return Refreshing(observed)
    return _active(observed, now)


def _held_back(observed: Observed, now: datetime) -> Entry | None:
    """A run, or a round of one that has ended, that may not begin yet."""
    if _is_new(observed):
        held = hold.suspension(observed) or hold.without_place(observed)
        return None if held is None else _held(observed, held)
    if not (is_finished(observed.status) and is_requested(observed)):
        return None
    held = hold.without_place(observed)
    if held is None:
        return None
    waits = Rejected(observed, held.message, held.reason, retry_at=now + held.look_again)
    return _standing_in(observed, held.message) or waits


def refreshed(entry: Entry, now: datetime) -> Entry:
    """The entry with its round begun, once everything was read that the round needs. A cancel does
    not wait for what cannot be read."""
    if not isinstance(entry, Refreshing):
        return entry
    observed, why = entry.observed, refresh.why_not(entry.observed, now)
    if why is not None:
        return (why and _standing_in(observed, f"rerun.memory: {why}")) or entry
    begun, record = refresh.refreshed(observed, now)
    return replace(_active(begun, now), stored=observed.status, records=(record,))


def stored(entry: Entry, now: datetime) -> Entry:
    """The entry, unless its definition cannot be stored: then neither the run nor its round begins
    yet. A cancel ends the run without it."""
    if not isinstance(entry, Active) or not (trouble := pinning.unstored(entry.observed)):
        return entry
    observed, origin = entry.observed, entry.observed.origin
    if entry.stored is not None:
        observed = replace(observed, status=entry.stored)
    assert isinstance(origin, Fresh), "only a new version is stored"
    held = hold.unstored(origin.pin.record, trouble)
    if not observed.status.nodes:
        return _held(observed, held)
    rejected = Rejected(observed, held.message, held.reason, retry_at=now + held.look_again)
    return _standing_in(observed, held.message) or rejected


def _active(observed: Observed, now: datetime) -> Active:
    begun = begin_round(observed, now)
    round_begun = begun is not observed
    pinned = compensating.with_recorded(pinning.pinned(begun))
    return Active(pinned, round_begun=round_begun, stored=observed.status)


def _has_lost_its_parent(observed: Observed) -> bool:
    """Whether the parent of a child run is gone or is being deleted. Garbage collection is late:
    until it deletes the child, the child starts nothing."""
    parent = observed.parent
    return parent is not None and parent.ours and parent.gone


def _unexpected(observed: Observed) -> str:
    """Why a run that names a parent is not a child run that the parent waits for; "" if it is.
    A child run that was accepted before stays accepted."""
    parent = observed.parent
    if parent is None or observed.status.nodes or isinstance(observed.origin, Settled):
        return ""
    if not parent.ours:
        return (
            "parent: only the operator writes this field, and it cannot be removed; delete "
            "this run and create it again without spec.parent"
        )
    if parent.expects or observed.definition.cancelled:
        return ""
    return f"parent: run {parent.name} does not wait for this run; it starts nothing"


def _is_new(observed: Observed) -> bool:
    """Whether the run was never accepted, and has not ended."""
    return not observed.status.nodes and not is_finished(observed.status)


def _held(observed: Observed, held: Hold) -> Entry:
    """A run that is held; a cancel ends it at once, without nodes."""
    if observed.definition.cancelled:
        return Active(cancel_rejected.with_stand_in_nodes(observed, rejected=held.message))
    return Held(observed, held)


def _settled(observed: Observed) -> Entry:
    if observed.status.phase == "Rejected":
        return Idle(observed)
    return Active(cancel_rejected.with_stand_in_nodes(observed, rejected=""))


def _missing(observed: Observed, origin: Missing) -> Entry:
    text = hold.missing_text(observed, origin)
    if observed.status.nodes:  # of a round
        reason = str(Reason.MISSING_REFERENCE)
        ended = _standing_in(observed, text)
        return ended or Rejected(observed, text, reason, awaits_template=origin.name)
    if observed.definition.problems:
        return Rejected(observed, rejection.problems_text(observed, observed.definition.problems))
    return _held(observed, hold.suspension(observed) or hold.missing(observed, origin))


def _lost(observed: Observed, origin: Lost, now: datetime) -> Entry:
    text = pinning.lost_text(observed, origin)
    reason, name = ConditionReason.DEFINITION_LOST, origin.pin.name
    ended = _standing_in(observed, text) or _cut_short(observed, text, now)
    if ended is not None:
        return ended
    at = cancel_rejected.deadline(observed)
    if is_finished(observed.status):
        return Rejected(observed, text, reason, awaits_template=name, retry_at=at)
    times = (now + hold.LOOK_AGAIN, *((at,) if at is not None else ()))
    return _halted(observed, text, reason, awaits_template=name, look_again=times)


def _unread(observed: Observed, origin: Unread, now: datetime) -> Entry:
    text = origin.text
    if not observed.status.nodes:
        if problems := observed.definition.problems:
            return Rejected(observed, rejection.problems_text(observed, problems))
        waits = hold.unread(text, look_again=origin.retry_at - now)
        return _held(observed, hold.suspension(observed) or waits)
    ended = _standing_in(observed, text)
    if ended is None and origin.pinned:
        ended = _cut_short(observed, text, now)
    if ended is not None:
        return ended
    at = cancel_rejected.deadline(observed)
    times = (origin.retry_at, *((at,) if at is not None else ()))
    if origin.pinned and not is_finished(observed.status):
        return _halted(observed, text, ConditionReason.DEFINITION_UNREAD, look_again=times)
    reason = ConditionReason.DEFINITION_UNREAD if origin.pinned else str(Reason.READ_REJECTED)
    return Rejected(observed, text, reason, retry_at=min(times))


def _halted(
    observed: Observed,
    problems: str,
    reason: str,
    *,
    look_again: tuple[datetime, ...],
    awaits_template: str = "",
) -> Halted:
    """A run that starts nothing, with stand-in nodes for the deadlines that its status has."""
    stand_ins = cancel_rejected.with_stand_in_nodes(observed, rejected=problems, late=True)
    return Halted(stand_ins, problems, reason, awaits_template, look_again)


def is_stopped_alone(status: NodeStatus) -> bool:
    """Whether a node was stopped at its deadline and has one attempt, which ends with it: it is no
    map and no loop."""
    attempt = status.open_attempt
    stopped = attempt is not None and attempt.stopping == Reason.DEADLINE_EXCEEDED
    return stopped and status.items is None and status.loop is None


def _cut_short(observed: Observed, problems: str, now: datetime) -> Active | None:
    """A run whose deadline has passed while its definition is not there, with stand-in nodes."""
    at = cancel_rejected.deadline(observed)
    if at is None or now < at:
        return None
    return Active(cancel_rejected.with_stand_in_nodes(observed, rejected=problems, late=True))


def _standing_in(observed: Observed, problems: str) -> Active | None:
    """A cancelled run whose spec cannot be run, with stand-in nodes."""
    if not cancel_rejected.is_cancelled(observed):
        return None
    return Active(cancel_rejected.with_stand_in_nodes(observed, rejected=problems))
