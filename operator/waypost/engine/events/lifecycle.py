"""What becomes of a WorkflowEvent that no pass over a run looks at: it expires, its claim is over,
it is deleted.

The status of the run decides whether a claim was used. A wait that has ended does not begin again,
so its claim on an event that it did not take can be given back. If the status cannot say so any
more, the event counts as consumed: at most one node gets it (S652).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pydantic import ValidationError

from waypost.api.base import JsonObject
from waypost.api.event.model import SETTLED, EventClaim, EventPhase, WorkflowEventStatus
from waypost.api.state.event import KEPT_TAKEN
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.kube import timestamps
from waypost.kube.facts.runs import written_by_newer_engine
from waypost.kube.objects import section, text
from waypost.kube.workflow_events import EventFact

RETENTION: Final = timedelta(days=1)  # of settled events
LOOK_AGAIN: Final = timedelta(seconds=2)  # at a claim of a wait that has not ended
_LATER: Final = timedelta(minutes=1)

Use = Literal["Open", "Taken", "Unused", "Unknown"]


@dataclass(frozen=True)
class Step:
    """What to do with an event now: write `status`, create a run after that, delete it, or look
    again at `wake_at`."""

    status: WorkflowEventStatus | None = None
    create: JsonObject | None = None
    delete: bool = False
    wake_at: datetime | None = None


def step(event: EventFact, run: Any, now: datetime, *, live: bool) -> Step | None:
    """What becomes of an event.

    Args:
        event: The event.
        run: The body of the run that it names, in its claim or in `workflow`; None: there is none,
            or it is not known.
        now: The time.
        live: `run` was read live.

    Returns:
        None if the run must be read live first.
    """
    if event.phase in SETTLED:
        since = timestamps.parse_timestamp(event.status.settled_at) or event.created_at
        due = since + RETENTION
        return Step(delete=True) if now >= due else Step(wake_at=due)
    if event.claim is not None:
        return _claimed(event, event.claim, run, now, live=live)
    if event.problem:
        return settled("Refused", event.problem, now)
    if now >= event.expires_at:
        return settled("Expired", "no node took it in time", now)
    if event.addressed and live and _has_ended(run):
        return settled("Expired", f"run {event.addressed} has ended", now)
    return Step(wake_at=event.expires_at)


def settled(phase: EventPhase, message: str, now: datetime) -> Step:
    """The step that ends an event without a claim."""
    moment = timestamps.timestamp(now)
    return Step(WorkflowEventStatus(phase=phase, message=message, settled_at=moment))


def _has_ended(run: Any) -> bool:
    status, metadata = section(run, "status"), section(run, "metadata")
    current = status.get("observedGeneration") == metadata.get("generation")
    return bool(status.get("finishedAt")) and current


def _claimed(
    event: EventFact, claim: EventClaim, run: Any, now: datetime, *, live: bool
) -> Step | None:
    use = use_of(claim, event.uid, run)
    if use == "Open":
        return Step(wake_at=now + (LOOK_AGAIN if _is_current(run) else _LATER))
    if use != "Taken" and not live:
        return None
    if use == "Unused":
        return Step(WorkflowEventStatus())
    note = "" if use == "Taken" else "the status of its run does not say any more what became of it"
    moment = timestamps.timestamp(now)
    return Step(
        WorkflowEventStatus(phase="Consumed", claim=claim, message=note or None, settled_at=moment)
    )


def _is_current(run: Any) -> bool:
    return not written_by_newer_engine(run)


def use_of(claim: EventClaim, uid: str, run: Any) -> Use:
    """What the status of a run says of a claim that it made on the event with this uid.

    Open: the wait has not ended. Taken: the event is the output of the wait, or of an earlier one.
    Unused: the wait has ended without it. Unknown: the status does not say it any more.
    """
    if text(section(run, "metadata"), "uid") != claim.run_uid:
        return "Unknown"
    if written_by_newer_engine(run):
        return "Open"
    try:
        status = AgentWorkflowStatus.model_validate(section(run, "status"))
    except ValidationError:
        return "Open"
    node = next((one for one in status.nodes if one.path == claim.path), None)
    return _use(claim, uid, node)


def _use(claim: EventClaim, uid: str, node: NodeStatus | None) -> Use:
    if node is None or node.event is None:
        return "Unknown"
    taken = node.event.taken or []
    if uid in taken:
        return "Taken"
    if node.event.wait < claim.wait:  # an older state of the run
        return "Open"
    if node.event.wait == claim.wait:
        return "Open" if node.phase == "Waiting" else "Unused"
    # The list has the last ones only: a full one may not have that of an earlier wait any more.
    return "Unused" if len(taken) < KEPT_TAKEN else "Unknown"
