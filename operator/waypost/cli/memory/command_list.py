"""`waypost memory list` and `show`."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from waypost.cli import options

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.cli.memory.entries import Found
    from waypost.views.memory.row import MemoryRow, MemoryView

_COLUMNS: Final = ("NAME", "KEY", "TYPE", "SUBJECT", "TEXT", "PHASE", "AGE")
_WIDE: Final = ("SCOPE", "RUN", "NODE", "REASON", "DECIDED BY", "EXPIRES")
_CURRENT: Final = ("Proposed", "Active")
_TYPES: Final = ("Episode", "Fact", "Forgotten")
_PHASES: Final = ("Proposed", "Active", "Rejected", "Superseded", "Expired")


def list_entries(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Only entries of this key.")] = "",
    scope: options.Scope = "",
    type_: Annotated[str, typer.Option("--type", help="Only Episode, Fact or Forgotten.")] = "",
    phase: Annotated[
        str,
        typer.Option("--phase", help="Only Proposed, Active, Rejected, Superseded or Expired."),
    ] = "",
    run: Annotated[str, typer.Option("--run", help="Only what this run has left.")] = "",
    every: Annotated[
        bool, typer.Option("--all", help="Also those that no run reads any more.")
    ] = False,
    namespace: options.Namespace = None,
    everywhere: options.Everywhere = False,
    output: Annotated[
        str, options.output_of("text, wide, json, yaml, name or jsonpath=TEMPLATE.")
    ] = "text",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """List what runs remember, the newest first."""
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.memory.entries import Wanted, read_entries
    from waypost.cli.report.output import RESOURCES, emit, form_of
    from waypost.views.memory.row import memory_row

    form = form_of(output, own=("text", "wide"))
    _check("--type", type_, _TYPES)
    _check("--phase", phase, _PHASES)
    wanted = Wanted(scope=scope, key=key, type=type_, run=run)

    async def work(session: "Session") -> "tuple[list[Found], int]":
        return await read_entries(session, wanted, everywhere=everywhere)

    found, unread = with_cluster(Target(kubeconfig, context, namespace), work)
    if phase:
        found = [one for one in found if one.standing.phase == phase]
    elif not every:
        found = [one for one in found if one.standing.phase in _CURRENT]
    rows = [memory_row(one.entry, one.standing, namespace=one.namespace) for one in found]
    if unread:
        typer.echo(f"left out, because they cannot be read: {unread:,}", err=True)
    if form.for_programs:
        names = (f"{RESOURCES['memory']}/{one.name}" for one in rows)
        emit(form, {"items": [one.to_json() for one in rows]}, names=names)
        return
    _print(rows, everywhere=everywhere, wide=form.kind == "wide")


def _check(option: str, given: str, known: tuple[str, ...]) -> None:
    from waypost.cli.errors import CommandError, Exit

    if given and given not in known:
        text = f"{option} {given}: expected one of {', '.join(known)}"
        raise CommandError(text, code=Exit.USAGE)


def _print(rows: "list[MemoryRow]", *, everywhere: bool, wide: bool) -> None:
    from waypost.cli.report.tables import show_table

    if not rows:
        typer.echo("no memory entries", err=True)
    head = (("NAMESPACE",) if everywhere else ()) + _COLUMNS + (_WIDE if wide else ())
    table = []
    for one in rows:
        before = (one.namespace,) if everywhere else ()
        table.append((*before, *cells(one), *(_wide(one) if wide else ())))
    show_table(head, table)


def cells(one: "MemoryRow") -> tuple[str, ...]:
    """The cells of one entry, in the order of the columns."""
    from datetime import UTC, datetime

    from waypost.cli.report import format

    return (
        one.name,
        format.tame(one.key, limit=60),
        one.type,
        format.tame(one.subject or "-", limit=40),
        format.tame(one.text or "-", limit=60),
        one.phase,
        format.age(one.at, now=datetime.now(UTC)),
    )


def _wide(one: "MemoryRow") -> tuple[str, ...]:
    return (
        one.scope,
        one.run or "-",
        one.node or "-",
        one.reason,
        one.decided_by or "-",
        one.expires_at,
    )


def show(
    name: options.MemoryEntry,
    namespace: options.Namespace = None,
    output: options.Document = "text",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Show an entry with its value, and where it comes from."""
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.memory.entries import read_entry
    from waypost.cli.report.output import emit, form_of
    from waypost.views.memory.row import memory_view

    form = form_of(output, named=False)
    found = with_cluster(
        Target(kubeconfig, context, namespace), lambda session: read_entry(session, name)
    )
    document = memory_view(found.entry, found.standing, namespace=found.namespace)
    if form.for_programs:
        emit(form, document.to_json())
    else:
        show_entry(document)


def show_entry(one: "MemoryView") -> None:
    """Print an entry for a person who decides about it."""
    import json

    from waypost.cli.report import format

    typer.echo(f"{one.name}  {one.type}  {one.phase} ({one.reason})  in {one.namespace}")
    typer.echo("")
    value = json.dumps(one.value or {}, indent=2, ensure_ascii=False)
    for line in value.splitlines():
        typer.echo(f"  {' ' * (len(line) - len(line.lstrip()))}{format.tame(line, limit=20000)}")
    typer.echo("")
    origin = f"{one.run or '-'}, round {one.round or '-'}" if one.run else "a person"
    for label, text in (
        ("key", one.key),
        ("scope", "all workflows of the namespace" if one.scope == "*" else one.scope),
        ("subject", one.subject),
        ("from run", origin),
        ("node", one.node and f"{one.node}, attempt {one.attempt or '-'}"),
        ("succeeded", None if one.succeeded is None else ("yes" if one.succeeded else "no")),
        ("scheduled", one.scheduled_at),
        ("made", one.at),
        ("expires", one.expires_at),
        ("review", one.review),
        ("decision", one.decision and f"{one.decision} by {one.decided_by}"),
        ("note", one.note),
    ):
        if text:
            typer.echo(f"{label:<12} {format.tame(text, limit=2000)}")
