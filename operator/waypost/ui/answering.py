"""Answers a question in the name of the user, if it is still the question that was shown."""

from typing import Any, Final

from waypost.cli.connection.answers import Answer, read_question, recorded, send
from waypost.cli.connection.cluster import Session
from waypost.cli.errors import CommandError, Exit
from waypost.protocol import schema
from waypost.views.documents import Question

_DECISIONS: Final = ("Approved", "Denied")
_FIELDS: Final = frozenset({"decision", "digest", "reason", "answer"})
_WAIT: Final = 5.0


async def give(session: Session, name: str, body: dict[str, Any]) -> str:
    """Write an answer, and wait a moment until the operator has recorded it.

    Args:
        session: The namespace of the Approval.
        name: The Approval.
        body: `decision`, the `digest` of the question that was shown, and optionally `reason` and
            the typed `answer`.

    Returns:
        A sentence on what the operator has recorded.

    Raises:
        CommandError: The answer is not valid, the question has changed, or it was refused.
    """
    decision, reason = body.get("decision"), body.get("reason")
    if unknown := sorted(body.keys() - _FIELDS):
        raise CommandError(f"unknown field {unknown[0]!r:.40}", code=Exit.USAGE)
    if decision not in _DECISIONS:
        text = f"decision: expected one of {', '.join(_DECISIONS)}, found {decision!r:.40}"
        raise CommandError(text, code=Exit.USAGE)
    if reason is not None and not isinstance(reason, str):
        raise CommandError("reason: expected a text", code=Exit.USAGE)
    asked, user = await read_question(session, name)
    if asked.state != "Open":
        raise CommandError(f"{name} is {asked.state}: it was answered or withdrawn before")
    if body.get("digest") != asked.digest:
        raise CommandError(f"{name} has changed since it was shown; read it again")
    if not user:
        text = "the API server does not say who you are (SelfSubjectReview), so use kubectl patch"
        raise CommandError(text, code=Exit.CLUSTER)
    _check(asked, decision, body)
    typed = {"answer": body["answer"]} if "answer" in body else {}
    answer = Answer(user, decision, reason or None, typed)
    await send(session, asked, answer)
    return await recorded(session, asked, answer, seconds=_WAIT)


def _check(asked: Question, decision: str, body: dict[str, Any]) -> None:
    """Raises CommandError if the typed answer is missing, not asked for, or does not match."""
    if decision == "Denied":
        return
    if asked.answer_schema is None:
        if "answer" in body:
            raise CommandError("answer: the question has no answerSchema", code=Exit.USAGE)
        return
    if "answer" not in body and asked.subject == "toolCall":
        return  # the call is made as it was shown
    if "answer" not in body:
        raise CommandError("answer: the question asks for a typed answer", code=Exit.USAGE)
    if problems := [str(one) for one in schema.validate(asked.answer_schema, body["answer"])]:
        raise CommandError("answer: " + "; ".join(problems), code=Exit.USAGE)
