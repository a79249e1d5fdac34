"""Approvals: the facts that the engine needs. Reading them from a body never raises."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from waypost.api import meta
from waypost.api.approval import ApprovalSpec, ApprovalStatus
from waypost.kube.objects import controller_uid, section, text, whole_number


@dataclass(frozen=True)
class ApprovalFact:
    """One Approval object."""

    name: str
    uid: str
    resource_version: str
    owner_uid: str  # uid of its controller, "" if it has none
    spec: ApprovalSpec | None  # None if the models refuse it
    status: ApprovalStatus
    generation: int = 1
    answered_at: datetime | None = None  # when this operator first saw its answer
    deleting: bool = False
    round: int = 1
    guard: str = ""  # mark of the admission policy in force when it was asked, or marked again
    attempt: int = 0  # that asks about tool calls; 0 for a gate

    @property
    def level(self) -> int:
        """The level of escalation; 0 if others were not asked before."""
        return (self.spec.level if self.spec is not None else None) or 0


def approval_fact(body: Any) -> ApprovalFact | None:
    """The fact of an Approval; None if the body has no name."""
    metadata = section(body, "metadata")
    name, generation = text(metadata, "name"), metadata.get("generation")
    if not name:
        return None
    try:
        spec = ApprovalSpec.model_validate(section(body, "spec"))
    except ValidationError:
        spec = None
    try:
        status = ApprovalStatus.model_validate(section(body, "status"))
    except ValidationError:
        status = ApprovalStatus()
    return ApprovalFact(
        name=name,
        uid=text(metadata, "uid"),
        resource_version=text(metadata, "resourceVersion"),
        owner_uid=controller_uid(body),
        spec=spec,
        status=status,
        generation=generation if isinstance(generation, int) else 1,
        deleting=bool(metadata.get("deletionTimestamp")),
        round=whole_number(section(metadata, "labels").get(meta.LABEL_ROUND)) or 1,
        guard=status.guard or text(section(metadata, "annotations"), meta.ANNOTATION_GUARD),
        attempt=whole_number(section(metadata, "labels").get(meta.LABEL_ATTEMPT)) or 0,
    )


def is_answered(fact: ApprovalFact) -> bool:
    """Whether people have written a decision or a vote."""
    return fact.spec is not None and bool(fact.spec.decision or fact.spec.votes)


def seen(fact: ApprovalFact, earlier: ApprovalFact | None, now: datetime) -> ApprovalFact:
    """A newer state of an Approval, with the time when this operator first saw its answer (S70).

    Nothing that a client can write says when an answer was given: not managedFields either.

    Args:
        fact: The newer state.
        earlier: The state that was known before; None if there was none.
        now: The current time.
    """
    if not is_answered(fact):
        return fact
    same = earlier is not None and earlier.uid == fact.uid and _answer(earlier) == _answer(fact)
    known = earlier.answered_at if earlier is not None and same else None
    return replace(fact, answered_at=known or now)


def _answer(fact: ApprovalFact) -> Any:
    """What people wrote."""
    if fact.spec is None:
        return None
    return fact.spec.decision, fact.spec.answer, fact.spec.votes
