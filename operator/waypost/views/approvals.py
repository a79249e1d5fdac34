"""Approvals: the list of open questions, and one question with what follows from a yes."""

from collections.abc import Iterator

from pydantic import ValidationError

from waypost.api.approval import ApprovalSpec, ApprovalStatus
from waypost.api.base import JsonObject, StatusCondition
from waypost.api.kinds.approval import Approvers
from waypost.api.kinds.table import kind_of
from waypost.api.meta import Condition
from waypost.compiler.definition import Definition
from waypost.compiler.node_settings import effect_of
from waypost.kube.objects import section, text
from waypost.protocol.text import shorten
from waypost.views.documents import ApprovalRow, Attached, NextNode, Question
from waypost.views.errors import CannotShow

_AFTER_CALL = "the call is made once, with these arguments or with those of the answer"
_MESSAGE = 200  # characters of it in a list


def approval_row(approval: JsonObject) -> ApprovalRow:
    """One line of the list. Raises CannotShow."""
    spec, status = _parsed(approval)
    metadata = section(approval, "metadata")
    return ApprovalRow(
        name=text(metadata, "name"),
        namespace=text(metadata, "namespace"),
        run=spec.run,
        path=spec.path,
        state=shown_state(status),
        message=shorten(spec.message, _MESSAGE),
        approvers=_people(spec.approvers),
        votes=status.votes,
        level=spec.level,
        created_at=text(metadata, "creationTimestamp") or None,
        expires_at=spec.expires_at,
        decided_by=status.decided_by,
        identity_verified=is_verified(status),
    )


def shown_state(status: ApprovalStatus) -> str:
    """The state of an Approval for people: also why it was denied or withdrawn."""
    if status.expired:
        return "Expired"
    return "Escalated" if status.escalated_to is not None else status.state


def is_verified(status: ApprovalStatus) -> bool | None:
    """Whether the API server has checked who answered; None if no answer is recorded."""
    found = _identity(status)
    return found.status == "True" if found is not None else None


def _identity(status: ApprovalStatus) -> StatusCondition | None:
    named = (one for one in status.conditions if one.type == Condition.IDENTITY_VERIFIED)
    return next(named, None)


def question(approval: JsonObject, definition: Definition | None, *, note: str = "") -> Question:
    """One question with everything that a person needs to decide.

    Args:
        approval: The Approval object.
        definition: That of its run; None if it cannot be read.
        note: Why it cannot be read.

    Raises:
        CannotShow: The object does not have the known form.
    """
    spec, status = _parsed(approval)
    metadata = section(approval, "metadata")
    is_call = spec.subject == "toolCall"
    note = _AFTER_CALL if is_call else note
    definition = None if is_call else definition
    identity = _identity(status)
    return Question(
        name=text(metadata, "name"),
        namespace=text(metadata, "namespace"),
        run=spec.run,
        path=spec.path,
        subject=spec.subject,
        state=shown_state(status),
        message=spec.message,
        context=spec.context,
        attachments=[Attached(**one.model_dump()) for one in spec.attachments or ()],
        answer_schema=spec.answer_schema,
        approvers=_people(spec.approvers),
        requesters=list(spec.requesters or ()),
        required=spec.approvers.required or 1,
        votes=status.votes,
        level=spec.level,
        escalated_to=status.escalated_to,
        expires_at=spec.expires_at,
        decided_by=status.decided_by,
        decided_at=status.decided_at,
        identity_verified=is_verified(status),
        identity_note=identity.message if identity is not None else None,
        reason=status.reason,
        digest=spec.request_digest,
        then=list(_next(spec.path, definition)) if definition is not None else [],
        note=note or None,
    )


def _parsed(approval: JsonObject) -> tuple[ApprovalSpec, ApprovalStatus]:
    name = text(section(approval, "metadata"), "name")
    try:
        spec = ApprovalSpec.model_validate(approval.get("spec") or {})
        return spec, ApprovalStatus.model_validate(approval.get("status") or {})
    except ValidationError as error:
        message = f"Approval {name} cannot be read: {error.errors()[0]['msg']}"
        raise CannotShow(message) from error


def _people(approvers: Approvers) -> list[str]:
    return [*(approvers.users or ()), *(f"group {group}" for group in approvers.groups or ())]


def _next(path: str, definition: Definition) -> Iterator[NextNode]:
    """The nodes after a gate, or after the map of an item that asks, in topological order."""
    graph, gate = definition.graph, path.partition("/")[0]
    after = graph.downstream(gate) if gate in graph.nodes else frozenset()
    for name in graph.order:
        if name in after:
            node = graph.nodes[name]
            http = node.http
            yield NextNode(
                path=name,
                kind=kind_of(node).name,
                effect=effect_of(node),
                destination=f"{http.method} {http.url}"[:300] if http is not None else None,
            )
