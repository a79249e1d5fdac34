"""`waypost memory forget`: forget everything of a key."""

from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.cli.memory.forgetting import Copies


def forget(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Key whose entries are forgotten.")],
    scope: options.Scope = "",
    records: Annotated[
        bool,
        typer.Option(
            "--records",
            help="Also delete the copies that runs have. A run in progress that needs its copy "
            "fails with ResultLost.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    yes: options.Yes = False,
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Delete everything that is remembered of a key, so that it does not come back.

    First an entry of type Forgotten is created: from then on no run reads or writes anything of the
    key that is older. Then the entries are deleted. Then the runs are listed that have copies.
    """
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.memory import forgetting
    from waypost.cli.report import format
    from waypost.cli.report.tables import confirm

    target = Target(kubeconfig, context, namespace)

    async def look(session: "Session") -> "tuple[str, int, Copies]":
        where = await forgetting.scope_of(session, key, scope)
        listed = await forgetting.remembered(session, scope=where, key=key)
        return where, len(listed), await forgetting.copies(session, scope=where, key=key)

    where, count, held = with_cluster(target, look)
    entries = format.entries(count)
    if dry_run:
        typer.echo(f"{entries} of key {key} and scope {where} would be deleted")
        _show(held, deleted=None)
        return
    confirm(f"Forget {entries} of key {key} and scope {where}?", yes=yes)

    async def work(session: "Session") -> "tuple[str, int, Copies, int]":
        made = await forgetting.begin(session, scope=where, key=key)
        typer.echo(f"{made} is created: nothing older is read or written any more")
        gone = await forgetting.delete_entries(session, scope=where, key=key)
        # Once more: a run may have begun since.
        now_held = await forgetting.copies(session, scope=where, key=key)
        removed = await forgetting.delete_records(session, now_held) if records else 0
        return made, gone, now_held, removed

    _, gone, held, removed = with_cluster(target, work)
    typer.echo(f"{format.entries(gone)} deleted")
    _show(held, deleted=removed if records else None)


def _show(held: "Copies", *, deleted: int | None) -> None:
    from waypost.cli.report import format
    from waypost.cli.report.tables import show_table

    if not held.runs:
        typer.echo("no run has a copy in its snapshot")
        return
    if deleted is None:
        typer.echo("these runs have copies in their records; --records deletes them:")
    else:
        typer.echo(f"{format.count(deleted, 'record')} deleted, of these runs:")
    rows = [(one.name, one.phase, str(len(one.records))) for one in held.runs]
    show_table(("RUN", "PHASE", "RECORDS"), rows)
    typer.echo(
        "inputs, outputs, conversations and logs of these runs may repeat what they have read; "
        "they are deleted with the runs"
    )
    if held.note:
        typer.echo(held.note, err=True)
