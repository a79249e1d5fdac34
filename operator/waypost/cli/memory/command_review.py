"""`waypost memory review`: accept or reject what runs propose."""

from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session, Target
    from waypost.cli.memory.entries import Found


def review(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="ENTRY", help="Entries.", autocompletion=options.memory_entries),
    ] = None,
    key: Annotated[str, typer.Option("--key", help="All entries of this key.")] = "",
    scope: options.Scope = "",
    run: Annotated[str, typer.Option("--run", help="All that this run has left.")] = "",
    accept: Annotated[bool, typer.Option("--accept", help="Later runs read them.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="No later run reads them.")] = False,
    note: Annotated[str, typer.Option("--note", help="Reason for the decision.")] = "",
    yes: options.Yes = False,
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Accept or reject entries, in your name.

    With --key or --run, --accept takes those that are Proposed, and --reject also those that runs
    read now. Without --accept and --reject each entry is shown, and you decide one by one. Runs in
    progress keep what they have read.
    """
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.memory.entries import Wanted
    from waypost.cli.memory.reviewing import find

    if accept and reject:
        raise CommandError("expected --accept or --reject, not both", code=Exit.USAGE)
    if bool(names) == bool(key or run or scope):
        text = "expected names of entries, or --key, --scope or --run"
        raise CommandError(text, code=Exit.USAGE)
    target = Target(kubeconfig, context, namespace)
    wanted = Wanted(scope=scope, key=key, run=run)
    phases = ("Proposed", "Active") if reject else ("Proposed",)

    async def look(session: "Session") -> "tuple[list[Found], str]":
        return await find(session, names or [], wanted, phases=phases)

    found, user = with_cluster(target, look)
    if not found:
        typer.echo("no entries to decide about", err=True)
        return
    decided = _one_by_one(found) if not (accept or reject) else _all(found, accept, yes=yes)
    _send(target, decided, user=user, note=note)


def _all(found: "list[Found]", accept: bool, *, yes: bool) -> "list[tuple[Found, str]]":
    from waypost.cli.report import format
    from waypost.cli.report.tables import confirm

    for one in found:
        _show(one)
    word = "Accept" if accept else "Reject"
    confirm(f"{word} {format.entries(len(found))}?", yes=yes)
    return [(one, f"{word}ed") for one in found]


def _one_by_one(found: "list[Found]") -> "list[tuple[Found, str]]":
    import sys

    if not sys.stdin.isatty():
        text = "the input is not a terminal; use --accept or --reject with --yes"
        raise CommandError(text, code=Exit.USAGE)
    decided = []
    answers = {"a": "Accepted", "r": "Rejected"}
    for one in found:
        _show(one)
        given = typer.prompt("[a]ccept, [r]eject, [s]kip or [q]uit", default="s")[:1].lower()
        if given == "q":
            break
        if given in answers:
            decided.append((one, answers[given]))
    return decided


def _show(one: "Found") -> None:
    from waypost.cli.memory.command_list import show_entry
    from waypost.views.memory.row import memory_view

    show_entry(memory_view(one.entry, one.standing, namespace=one.namespace))
    typer.echo("")


def _send(target: "Target", decided: "list[tuple[Found, str]]", *, user: str, note: str) -> None:
    from waypost.cli.connection.cluster import with_cluster
    from waypost.cli.memory.reviewing import decide

    async def write(session: "Session") -> None:
        for one, decision in decided:
            await decide(session, one, decision, user=user, note=note)
            typer.echo(f"{one.name} is {decision}")

    if decided:
        with_cluster(target, write)
