"""What ended in a checkpoint, as facts. `spans.ended` finds them."""

from dataclasses import dataclass
from datetime import datetime

from waypost.api.state.usage import Usage
from waypost.telemetry.memory import MemoryUsed
from waypost.telemetry.steps import StepEnded


@dataclass(frozen=True)
class RunEnded:
    """A run finished its current round."""

    round: int
    outcome: str  # Succeeded, Failed, Cancelled
    reason: str  # of the condition Succeeded
    started: datetime
    finished: datetime
    # Succeeded, CompensationFailed, CompensationSkipped; "" if nothing had to be undone
    compensation: str = ""
    finally_: str = ""  # Succeeded, FinallyFailed, FinallySkipped; "" without nodes in finally


@dataclass(frozen=True)
class AttemptEnded:
    """One attempt of one node ended, for whatever reason."""

    path: str
    kind: str  # python, http, agent or container
    round: int
    number: int
    outcome: str  # Succeeded or the reason
    job: str
    pod_uid: str
    launched: datetime
    started: datetime | None  # None when its container never started
    finished: datetime
    usage: Usage | None = None  # what an agent used
    admitted: datetime | None = None  # by its queue
    scheduled: datetime | None = None  # its pod was bound to a machine
    prepared: datetime | None = None  # nothing was left but its image and its creation


@dataclass(frozen=True)
class ApprovalEnded:
    """An approval was answered, expired, was escalated or withdrawn."""

    path: str
    round: int
    outcome: str  # Approved, Denied, Expired, Escalated, Withdrawn, Unknown
    approval: str
    opened: datetime  # the gate, at whatever level it ends
    finished: datetime
    level: int = 0  # of escalation


@dataclass(frozen=True)
class ChoiceEnded:
    """A first node chose a candidate, or ended without a choice."""

    path: str
    round: int
    outcome: str  # Succeeded or the reason
    chosen: str  # "" without a choice
    opened: datetime
    finished: datetime


Ended = RunEnded | AttemptEnded | ApprovalEnded | ChoiceEnded | StepEnded | MemoryUsed
