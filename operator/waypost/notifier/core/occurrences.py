"""What has occurred to an object, as far as people may want to hear of it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from waypost.api.meta import Condition, ConditionReason
from waypost.kube.objects import items, moment, section, text
from waypost.ports.cluster import Kind, Obj

Type = Literal[
    "ApprovalOpened",
    "ApprovalExpiring",
    "ApprovalExpired",
    "RunFailed",
    "RunRejected",
    "RunPaused",
    "RunStalled",
    "ScheduleBlocked",
]
TYPES: Final[tuple[Type, ...]] = get_args(Type)
# These ask for an answer: there is nothing to say about them once the Approval has one.
QUESTIONS: Final = frozenset({"ApprovalOpened", "ApprovalExpiring"})
_ENDED: Final = frozenset({"Succeeded", "Failed", "Cancelled", "Rejected"})
_WARNING_PART: Final = 10  # ApprovalExpiring comes when this part of the time is left
_WARNING_SECONDS: Final = 3600.0  # and at most so early


@dataclass(frozen=True)
class Occurrence:
    """Something that occurred once. It has names and reasons, and nothing of what runs work on.

    Attributes:
        id: The same whenever and wherever it is computed.
        type: What occurred.
        at: When, in seconds since 1970. A later time than now: it will occur then.
        uid: That of the object.
        namespace: Its namespace.
        name: Its name.
        run: The run that it is about; "" if none.
        path: The node that asks; "" if none.
        round: The round of the run; 0 if none.
        reason: The reason of the state; "" if none.
        expires: When an Approval expires; "" if never.
        level: Level of escalation of an Approval; 0 if others were not asked before.
    """

    id: str
    type: Type
    at: float
    uid: str
    namespace: str
    name: str
    run: str = ""
    path: str = ""
    round: int = 0
    reason: str = ""
    expires: str = ""
    level: int = 0


def occurrences(kind: Kind, body: Obj) -> tuple[Occurrence, ...]:
    """What the present state of an object says that has occurred.

    Total: of an object with another form than ours, nothing has occurred.

    Args:
        kind: AGENT_WORKFLOW, APPROVAL or AGENT_WORKFLOW_SCHEDULE.
        body: The object.
    """
    return tuple(_READERS[kind](body, _Subject(body)))


def is_open(approval: Obj) -> bool:
    """Whether an Approval waits for an answer."""
    return (text(section(approval, "status"), "state") or "Open") == "Open"


class _Subject:
    """The object that something has occurred to."""

    def __init__(self, body: Obj) -> None:
        metadata = section(body, "metadata")
        self.uid = text(metadata, "uid")
        self.namespace, self.name = text(metadata, "namespace"), text(metadata, "name")

    def occurrence(
        self, type_: Type, at: datetime | float | None, number: object, **about: Any
    ) -> Iterator[Occurrence]:
        """An occurrence. `number` tells it from others of this type; none without a time."""
        if at is None or not self.uid:
            return
        seconds = at.timestamp() if isinstance(at, datetime) else at
        digest = hashlib.sha256(f"{self.uid}\n{type_}\n{number}".encode()).hexdigest()
        yield Occurrence(
            id=digest[:24],
            type=type_,
            at=seconds,
            uid=self.uid,
            namespace=self.namespace,
            name=self.name,
            **about,
        )


def _approval(body: Obj, subject: _Subject) -> Iterator[Occurrence]:
    spec, status = section(body, "spec"), section(body, "status")
    level = spec.get("level")
    about = {
        "run": text(spec, "run"),
        "path": text(spec, "path"),
        "expires": text(spec, "expiresAt"),
        "level": level if isinstance(level, int) and level > 0 else 0,
    }
    asked = moment(section(body, "metadata"), "creationTimestamp")
    expires = moment(spec, "expiresAt")
    if is_open(body):
        yield from subject.occurrence("ApprovalOpened", asked, "", **about)
        if asked is not None and expires is not None and asked < expires:
            left = (expires - asked).total_seconds() / _WARNING_PART
            warned = expires.timestamp() - min(left, _WARNING_SECONDS)
            yield from subject.occurrence("ApprovalExpiring", warned, "", **about)
    elif status.get("expired") is True:
        yield from subject.occurrence("ApprovalExpired", moment(status, "decidedAt"), "", **about)


def _run(body: Obj, subject: _Subject) -> Iterator[Occurrence]:
    if section(body, "spec", "parent"):
        return  # its parent fails, pauses or stalls with it, or is made to go without it
    status = section(body, "status")
    phase, number = text(status, "phase"), status.get("round")
    round_ = number if isinstance(number, int) else 1
    conditions = {text(one, "type"): one for one in items(status, "conditions")}
    about = {"run": subject.name, "round": round_}
    if phase == "Failed":
        reason = _reason(conditions, Condition.SUCCEEDED)
        at = moment(status, "finishedAt")
        yield from subject.occurrence("RunFailed", at, round_, reason=reason, **about)
    elif phase == "Rejected":
        found = conditions.get(Condition.ACCEPTED, {})
        since = text(found, "lastTransitionTime")
        yield from subject.occurrence(
            "RunRejected",
            moment(found, "lastTransitionTime"),
            since,
            reason=text(found, "reason"),
            **about,
        )
    elif phase not in _ENDED and _is_true(conditions.get(Condition.STALLED, {})):
        found = conditions[Condition.STALLED]
        reason = text(found, "reason")
        type_: Type = "RunPaused" if reason == ConditionReason.PAUSED else "RunStalled"
        since = text(found, "lastTransitionTime")
        at = moment(found, "lastTransitionTime")
        yield from subject.occurrence(type_, at, f"{round_} {since}", reason=reason, **about)


def _schedule(body: Obj, subject: _Subject) -> Iterator[Occurrence]:
    status = section(body, "status")
    for found in items(status, "conditions"):
        if text(found, "type") == Condition.BLOCKED and _is_true(found):
            yield from subject.occurrence(
                "ScheduleBlocked",
                moment(found, "lastTransitionTime"),
                text(found, "lastTransitionTime"),
                run=text(status, "blockedBy"),
                reason=text(found, "reason"),
            )


_READERS: Final[Mapping[Kind, Callable[[Obj, _Subject], Iterator[Occurrence]]]] = {
    Kind.AGENT_WORKFLOW: _run,
    Kind.APPROVAL: _approval,
    Kind.AGENT_WORKFLOW_SCHEDULE: _schedule,
}
KINDS: Final = tuple(_READERS)


def _is_true(condition: Mapping[str, Any]) -> bool:
    return condition.get("status") == "True"


def _reason(conditions: Mapping[str, Mapping[str, Any]], type_: str) -> str:
    return text(conditions.get(type_, {}), "reason")
