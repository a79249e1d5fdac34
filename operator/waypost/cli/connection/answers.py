"""Answers a question with one patch, in the user's own name, and waits until it is recorded."""

import asyncio
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from waypost.cli.connection.cluster import Session
from waypost.cli.connection.definitions import known_definition
from waypost.cli.connection.people import user_name
from waypost.cli.errors import AccessDenied, CommandError, Exit
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import ClusterError, Conflict, Kind, NotFound, Obj, PatchType, Rejected
from waypost.views.approvals import approval_row, question
from waypost.views.documents import Question

_LOOK_AGAIN: Final = 0.3


@dataclass(frozen=True)
class Answer:
    """An answer; `value` has the key `answer` if there is a typed one."""

    user: str
    decision: str
    reason: str | None
    value: Obj = field(default_factory=dict)


async def read_question(session: Session, name: str) -> tuple[Question, str]:
    """The question and what follows a yes, and the name of the user ("" if it is not known).

    Raises:
        CommandError: There is no such Approval; names the open ones.
    """
    try:
        found = await session.cluster.get(Kind.APPROVAL, namespace=session.namespace, name=name)
    except NotFound as error:
        listed = await _open(session)
        hint = f"open ones are: {', '.join(listed)}" if listed else "see `waypost approvals -A`"
        message = f"no Approval {name!r} in namespace {session.namespace}; {hint}"
        raise CommandError(message, code=Exit.NOT_FOUND) from error
    run_name = text(section(found, "spec"), "run")
    try:
        run = await session.cluster.get(
            Kind.AGENT_WORKFLOW, namespace=session.namespace, name=run_name
        )
        definition, note = await known_definition(session, run)
    except ClusterError as error:
        definition, note = None, error.message
    return question(found, definition, note=note), await user_name(session)


async def _open(session: Session) -> list[str]:
    try:
        found = await session.cluster.list(Kind.APPROVAL, namespace=session.namespace)
    except ClusterError:
        return []
    rows = [approval_row(one) for one in found.items]
    return [row.name for row in rows if row.state == "Open"][:10]


async def send(session: Session, asked: Question, answer: Answer) -> None:
    """Write the answer. Raises CommandError with the words of the API server."""
    given = {"decision": answer.decision, **answer.value}
    if answer.reason:
        given["reason"] = answer.reason
    if asked.required > 1:
        spec: Obj = {"votes": {answer.user: {**given, "decidedDigest": asked.digest}}}
    else:
        # Of the question that was shown: an answer to another one is refused.
        spec = {**given, "decidedBy": answer.user, "decidedDigest": asked.digest}
    try:
        await session.cluster.patch(
            Kind.APPROVAL,
            namespace=session.namespace,
            name=asked.name,
            body={"spec": spec},
            patch_type=PatchType.MERGE,
        )
    except Conflict as error:
        raise CommandError(f"{asked.name} has changed: {error.message}; look again") from error
    except Rejected as error:
        if error.code == 403:
            role = "the chart's role waypost-approver grants it"
            raise AccessDenied(f"refused: {error.message}; {role}") from error
        raise CommandError(f"refused: {error.message}") from error


async def recorded(session: Session, asked: Question, answer: Answer, *, seconds: float) -> str:
    """Wait until the operator has recorded the answer; a sentence on what it has recorded.

    Raises:
        CommandError: The operator ignores the answer.
    """
    end = monotonic() + seconds
    while True:
        found = await session.cluster.get(
            Kind.APPROVAL, namespace=session.namespace, name=asked.name
        )
        status = section(found, "status")
        if text(status, "state") not in ("", "Open"):
            by = text(status, "decidedBy") or answer.user
            return f"{asked.name} is {text(status, 'state')} by {by}"
        for condition in items(status, "conditions"):
            if (condition.get("type"), condition.get("status")) == ("AnswerValid", "False"):
                raise CommandError(f"the answer does not count: {text(condition, 'message')}")
        votes = text(status, "votes")
        if asked.required > 1 and votes and votes != asked.votes:
            return f"the vote is recorded: {votes}"
        if monotonic() >= end:
            return f"the answer is stored; no operator has recorded it within {seconds:.0f} s"
        await asyncio.sleep(_LOOK_AGAIN)
