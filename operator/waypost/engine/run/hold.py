"""A run that is not accepted yet, because something outside of it is missing or holds it back.

It starts nothing, and its status says what it waits for. It is accepted as soon as that changes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from waypost.api.changes import changed_run
from waypost.api.meta import Condition, ConditionReason, EventReason
from waypost.api.status import RunPhase
from waypost.compiler.node_settings import DEFAULT_QUEUE_TIMEOUT
from waypost.compiler.origin import Fresh, Missing
from waypost.engine.state.decision import Decision, RunEvent
from waypost.engine.state.observed import Observed
from waypost.kube.conditions import Conditions
from waypost.protocol.reasons import Reason

LOOK_AGAIN: Final = timedelta(seconds=60)  # if no event of the watch wakes the run before
_STORE_AGAIN: Final = timedelta(seconds=10)


@dataclass(frozen=True)
class Hold:
    """Why a run is not accepted yet.

    Attributes:
        reason: One word, for conditions.
        message: What is missing, and what to do.
        waiting: What the run waits for, in a few words.
        phase: Its phase meanwhile.
        patient: Whether it may wait for any time; else it is Stalled after ten minutes.
        look_again: When to look again at the latest.
    """

    reason: str
    message: str
    waiting: str
    phase: RunPhase = "Suspended"
    patient: bool = True
    look_again: timedelta = LOOK_AGAIN


def missing(observed: Observed, origin: Missing) -> Hold:
    """The hold of a run whose template does not exist (yet)."""
    return Hold(
        reason=str(Reason.MISSING_REFERENCE),
        message=missing_text(observed, origin),
        waiting=f"template/{origin.name}",
        phase="Pending",
        patient=False,
    )


def missing_text(observed: Observed, origin: Missing) -> str:
    """That a template does not exist, and what to do."""
    if origin.local:
        return (
            f"the parent run has no local template {origin.name} any more; begin a round of the "
            "parent run that has it in spec.templates"
        )
    return (
        f"there is no AgentWorkflowTemplate {origin.name} in namespace {observed.namespace}; "
        "create it, or correct templateRef.name"
    )


def suspension(observed: Observed) -> Hold | None:
    """The hold of a new run by a person: for all new runs, or for those of its template."""
    if observed.new_runs_suspended:
        return Hold(
            reason=ConditionReason.NEW_RUNS_SUSPENDED,
            message="the operator accepts no new runs: its setting suspendNewRuns is true; the run "
            "starts when it is false",
            waiting="suspendNewRuns",
        )
    origin = observed.origin
    if isinstance(origin, Fresh) and origin.suspended:
        name = origin.pin.name
        return Hold(
            reason=ConditionReason.TEMPLATE_SUSPENDED,
            message=f"AgentWorkflowTemplate {name} has suspend: true and accepts no new runs; the "
            "run starts when it is false",
            waiting=f"template/{name}",
        )
    return None


def without_place(observed: Observed) -> Hold | None:
    """The hold of a run, or of a round of a run that has ended, because as many runs of its
    namespace run as the policy allows (S640). Child runs need no place."""
    policy, ahead = observed.policy, observed.ahead
    most = policy.max_runs if policy is not None else None
    if most is None or ahead is None or ahead < most or observed.parent is not None:
        return None
    return Hold(
        reason=ConditionReason.RUN_LIMIT,
        message=f"the platform allows {most} runs at a time in this namespace "
        "(policies.namespaces[].maxRuns of the chart); the run starts when those before it have "
        "ended",
        waiting="maxRuns",
        phase="Pending",
    )


def unstored(record: str, message: str) -> Hold:
    """The hold of a run whose definition cannot be stored."""
    return Hold(
        reason=str(Reason.RECORD_REJECTED),
        message=f"its definition cannot be stored in NodeRecord {record}: {message}",
        waiting="noderecord",
        phase="Pending",
        patient=False,
        look_again=_STORE_AGAIN,
    )


def unread(text: str, *, look_again: timedelta) -> Hold:
    """The hold of a run whose template cannot be read; `text` says why, and what to do."""
    return Hold(
        reason=str(Reason.READ_REJECTED),
        message=text,
        waiting="template",
        phase="Pending",
        patient=False,
        look_again=max(look_again, timedelta(seconds=1)),
    )


def decide(observed: Observed, hold: Hold, now: datetime) -> Decision:
    """The status of a run that is held, and when to look again."""
    stalls_at = observed.created_at + timedelta(seconds=DEFAULT_QUEUE_TIMEOUT)
    stalled = not hold.patient and now >= stalls_at
    conditions = Conditions(observed.status.conditions, generation=observed.generation, now=now)
    text = hold.message
    for type_ in (Condition.ACCEPTED, Condition.SUCCEEDED):
        conditions.set(type_, "Unknown", reason=hold.reason, message=text)
    conditions.set(Condition.FINISHED, "False", reason=hold.reason, message=text)
    conditions.set(Condition.RECONCILING, not stalled, reason=hold.reason, message=text)
    conditions.set(Condition.STALLED, stalled, reason=hold.reason, message=text if stalled else "")
    status = changed_run(
        observed.status,
        observed_generation=observed.generation,
        phase=hold.phase,
        waiting=hold.waiting,
        finished_at=None,
        conditions=conditions.items,
    )
    known = any(
        c.type == Condition.ACCEPTED and c.reason == hold.reason for c in observed.status.conditions
    )
    event = RunEvent(type="Warning", reason=EventReason.NOT_ACCEPTED_YET, message=text[:1000])
    look_again = now + hold.look_again
    if not hold.patient and not stalled:
        look_again = min(look_again, stalls_at)
    return Decision(
        status=status,
        events=() if known else (event,),
        requeue_at=look_again,
    )
