"""`waypost approve` and `waypost deny`: answer a question, after it was shown with what follows."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Target

approve = typer.Typer(add_completion=False, rich_markup_mode=None)
deny = typer.Typer(add_completion=False, rich_markup_mode=None)

Reason = Annotated[str | None, typer.Option("--reason", help="Why, for the record.")]


@approve.command(name="approve")
def approve_it(
    approval: options.Approval,
    reason: Reason = None,
    answer: Annotated[
        str | None,
        typer.Option(
            "--answer", metavar="JSON", help="The typed answer; @FILE reads it from a file."
        ),
    ] = None,
    yes: options.Yes = False,
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Answer a question with yes, after showing what follows.

    The answer is given in your own name, and names the digest of the question that was shown.
    """
    from waypost.cli.connection.cluster import Target

    target = Target(kubeconfig, context, namespace)
    _answer(target, approval, "Approved", reason=reason, value=_value(answer), yes=yes)


@deny.command(name="deny")
def deny_it(
    approval: options.Approval,
    reason: Reason = None,
    yes: options.Yes = False,
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Answer a question with no, after showing it."""
    from waypost.cli.connection.cluster import Target

    target = Target(kubeconfig, context, namespace)
    _answer(target, approval, "Denied", reason=reason, value=_NOTHING, yes=yes)


_NOTHING: Any = object()


def _value(text: str | None) -> Any:
    from waypost.cli.connection.changes import parsed_json

    return _NOTHING if text is None else parsed_json("--answer", text)


def _answer(
    target: "Target", name: str, decision: str, *, reason: str | None, value: Any, yes: bool
) -> None:
    from waypost.cli.connection.answers import Answer, read_question, recorded, send
    from waypost.cli.connection.cluster import Session, with_cluster
    from waypost.cli.report.questions import show_question
    from waypost.cli.report.tables import confirm
    from waypost.protocol import schema

    async def look(session: Session) -> Any:
        return await read_question(session, name)

    found, user = with_cluster(target, look)
    show_question(found)
    if found.state != "Open":
        raise CommandError(f"{name} is {found.state}: it was answered or withdrawn before")
    if not user:
        text = "the API server does not say who you are (SelfSubjectReview), so use kubectl patch"
        raise CommandError(text, code=Exit.CLUSTER)
    has_value = value is not _NOTHING
    if decision == "Approved" and found.answer_schema is not None:
        if not has_value:
            raise CommandError(f"{name} asks for a typed answer: add --answer", code=Exit.USAGE)
        problems = "; ".join(str(one) for one in schema.validate(found.answer_schema, value))
        if problems:
            raise CommandError(f"--answer does not match answerSchema: {problems}", code=Exit.USAGE)
    elif has_value and decision == "Approved":
        raise CommandError(f"{name} has no answerSchema: remove --answer", code=Exit.USAGE)
    verb = "Approve" if decision == "Approved" else "Deny"
    confirm(f"{verb} {name} as {user}?", yes=yes)
    answer = Answer(user, decision, reason, {"answer": value} if has_value else {})

    async def act(session: Session) -> str:
        await send(session, found, answer)
        return await recorded(session, found, answer, seconds=10)

    typer.echo(with_cluster(target, act))
