"""Approvals: the facts that the engine needs. Reading them from a body never raises."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from waypost.api import meta
from waypost.api.approval import ApprovalSpec, ApprovalStatus
from waypost.kube.objects import controller_uid, items, moment, section, text, whole_number


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
    answered_at: datetime | None = None  # when the API server stored the decision or the last vote
    deleting: bool = False
    round: int = 1
    attempt: int = 0  # that asks about tool calls; 0 for a gate


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
        answered_at=_answered_at(metadata),
        deleting=bool(metadata.get("deletionTimestamp")),
        round=whole_number(section(metadata, "labels").get(meta.LABEL_ROUND)) or 1,
        attempt=whole_number(section(metadata, "labels").get(meta.LABEL_ATTEMPT)) or 0,
    )


def _answered_at(metadata: dict[str, Any]) -> datetime | None:
    """When the API server last stored a decision or a vote: the time of its field manager."""
    moments = []
    for entry in items(metadata, "managedFields"):
        fields = section(entry, "fieldsV1", "f:spec")
        if fields.keys() & {"f:decision", "f:votes"}:
            moments.append(moment(entry, "time"))
    known = [moment for moment in moments if moment is not None]
    return max(known, default=None)
