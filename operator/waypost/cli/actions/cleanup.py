"""`waypost cleanup`: delete runs that ended long ago."""

from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cleaning import Old
    from waypost.cli.connection.cluster import Session

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def cleanup(
    older_than: Annotated[
        str, typer.Option("--older-than", help="Runs that ended longer ago, such as 12h or 30d.")
    ],
    phase: Annotated[
        list[str] | None,
        typer.Option("--phase", help="Only runs that ended in this phase. Can be repeated."),
    ] = None,
    selector: options.Selector = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list them.")] = False,
    yes: options.Yes = False,
    namespace: options.Namespace = None,
    everywhere: options.Everywhere = False,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Delete runs that ended long ago.

    All that belongs to them is deleted too. Runs that have not ended are never deleted. Child runs
    go with their parents. Runs that Argo CD or Flux track are left out, because these would create
    them again.
    """
    from waypost.cli.connection.cleaning import delete, find_old
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.report import format
    from waypost.cli.report.following import seconds_of
    from waypost.cli.report.tables import confirm, show_table

    seconds = seconds_of(older_than)
    if not seconds:
        raise CommandError("--older-than must be longer than 0s", code=Exit.USAGE)
    target = Target(kubeconfig, context, namespace)

    async def look(session: "Session") -> "tuple[list[Old], int]":
        return await find_old(
            session, seconds=seconds, phases=phase or [], labels=selector, everywhere=everywhere
        )

    found, tracked = with_cluster(target, look)
    if tracked:
        typer.echo(f"left out, because Argo CD or Flux track them: {tracked:,}", err=True)
    if not found:
        typer.echo("no run to delete")
        return
    rows = [(old.namespace, old.name, old.phase, old.finished_at) for old in found]
    show_table(("NAMESPACE", "NAME", "PHASE", "ENDED"), rows)
    if dry_run:
        typer.echo(f"{format.count(len(found), 'run')} would be deleted")
        return
    confirm(f"Delete {format.count(len(found), 'run')}?", yes=yes)
    changed = with_cluster(target, lambda session: delete(session, found))
    typer.echo(f"{format.count(len(found) - changed, 'run')} deleted")
    if changed:
        typer.echo(f"{changed:,} have changed since and were left", err=True)
