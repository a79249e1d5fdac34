"""`waypost archive`: the service for the history of runs, and the export of what it has."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit
from waypost.cli.settings import read_settings

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def archive() -> None:
    """Keep finished runs in a database, and export them."""


@app.command()
def serve() -> None:
    """Archive finished runs and serve them until SIGTERM.

    Reads its settings from environment variables WAYPOST_*.
    """
    from waypost.archive.settings import load_archive_settings

    settings = read_settings(load_archive_settings)
    try:
        from waypost.archive import main
    except ModuleNotFoundError as error:
        text = f"{error}; install waypost[archive], which the image of the operator has"
        raise CommandError(text, code=Exit.USAGE) from error

    raise typer.Exit(main.run(settings))


@app.command()
def export(
    namespace: options.Namespace = None,
    everywhere: options.Everywhere = False,
    selector: options.Selector = "",
    phase: Annotated[
        list[str] | None,
        typer.Option("--phase", help="Only runs in this phase. Can be repeated."),
    ] = None,
    template: Annotated[str, typer.Option("--template", help="Only runs of this template.")] = "",
    since: Annotated[
        str, typer.Option("--since", help="Only ended since then: a time, or 24h.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Only ended before: a time, or 24h.")] = "",
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="jsonl or parquet.")
    ] = "jsonl",
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Only with parquet: the file to write."),
    ] = None,
    archive: options.Archive = "",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Print archived runs as JSON Lines, or write a Parquet file: newest end first.

    A line is the document of a run. A row has the document, and columns to sum up and filter by.
    A document has the payloads of the run if you have the role waypost-view-payloads. Parquet
    needs waypost[parquet].
    """
    from waypost.cli.archive.client import Where
    from waypost.cli.archive.rows import Filters, exported
    from waypost.cli.connection.cluster import Target, with_cluster

    if everywhere and namespace:
        text = "--all-namespaces and --namespace exclude each other; use one of them"
        raise CommandError(text, code=Exit.USAGE)
    if form not in ("jsonl", "parquet"):
        raise CommandError(f"--format {form}: expected jsonl or parquet", code=Exit.USAGE)
    if (form == "parquet") != (file is not None):
        text = "--format parquet needs --file FILE, and only that format writes a file"
        raise CommandError(text, code=Exit.USAGE)
    if file is not None:
        from waypost.cli.archive.parquet import arrow, write

        arrow()
    target, where = Target(kubeconfig, context, namespace), Where(archive, only=True)
    filters = Filters(template=template, since=since, until=until)

    async def work(session: "Session") -> None:
        place = "" if everywhere else session.namespace
        lines = exported(
            target, where, filters, namespace=place, labels=selector, phases=phase or []
        )
        count = 0
        if file is not None:
            count = await write(lines, file)
        else:
            async for line in lines:
                typer.echo(line)
                count += 1
        typer.echo(f"{count} runs", err=True)

    with_cluster(target, work)
