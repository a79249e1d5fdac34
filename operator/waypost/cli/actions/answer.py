"""`waypost approve` and `waypost deny`: answer a question, after it was shown with what follows."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Target
    from waypost.views.documents import Question

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
    arguments: Annotated[
        str | None,
        typer.Option(
            "--arguments",
            metavar="JSON",
            help="Of a tool call: make it with these arguments; @FILE reads them from a file.",
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
    if answer is not None and arguments is not None:
        raise CommandError("give one of --answer and --arguments", code=Exit.USAGE)
    option, text = ("--answer", answer) if arguments is None else ("--arguments", arguments)
    _answer(
        target, approval, "Approved", reason=reason, given=(option, _value(option, text)), yes=yes
    )


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
    given = ("--answer", _NOTHING)
    _answer(target, approval, "Denied", reason=reason, given=given, yes=yes)


_NOTHING: Any = object()


def _value(option: str, text: str | None) -> Any:
    from waypost.cli.connection.changes import parsed_json

    return _NOTHING if text is None else parsed_json(option, text)


def _check(asked: "Question", option: str, value: Any) -> None:
    """Whether an answer with yes has the value that the question needs. Raises CommandError."""
    from waypost.protocol import schema

    has_value, is_call = value is not _NOTHING, asked.subject == "toolCall"
    if option == "--arguments" and not is_call:
        text = f"{asked.name} is about no tool call: remove --arguments"
        raise CommandError(text, code=Exit.USAGE)
    if has_value and asked.answer_schema is None:
        raise CommandError(f"{asked.name} has no answerSchema: remove {option}", code=Exit.USAGE)
    if not has_value and asked.answer_schema is not None and not is_call:
        raise CommandError(f"{asked.name} asks for a typed answer: add --answer", code=Exit.USAGE)
    if has_value:
        problems = "; ".join(str(one) for one in schema.validate(asked.answer_schema, value))
        if problems:
            text = f"{option} does not match answerSchema: {problems}"
            raise CommandError(text, code=Exit.USAGE)


def _answer(
    target: "Target",
    name: str,
    decision: str,
    *,
    reason: str | None,
    given: tuple[str, Any],
    yes: bool,
) -> None:
    from waypost.cli.connection.answers import Answer, read_question, recorded, send
    from waypost.cli.connection.cluster import Session, with_cluster
    from waypost.cli.report.questions import show_question
    from waypost.cli.report.tables import confirm

    async def look(session: Session) -> Any:
        return await read_question(session, name)

    found, user = with_cluster(target, look)
    show_question(found)
    if found.state != "Open":
        raise CommandError(f"{name} is {found.state}: it was answered or withdrawn before")
    if not user:
        text = "the API server does not say who you are (SelfSubjectReview), so use kubectl patch"
        raise CommandError(text, code=Exit.CLUSTER)
    option, value = given
    if decision == "Approved":
        _check(found, option, value)
    has_value = value is not _NOTHING
    verb = "Approve" if decision == "Approved" else "Deny"
    confirm(f"{verb} {name} as {user}?", yes=yes)
    answer = Answer(user, decision, reason, {"answer": value} if has_value else {})

    async def act(session: Session) -> str:
        await send(session, found, answer)
        return await recorded(session, found, answer, seconds=10)

    typer.echo(with_cluster(target, act))
