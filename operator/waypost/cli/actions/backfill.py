"""`waypost backfill`: start the runs of times that have passed."""

from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.backfilling import Plan
    from waypost.cli.connection.cluster import Session

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def backfill(
    schedule: Annotated[
        str, typer.Argument(metavar="SCHEDULE", help="Name of the AgentWorkflowSchedule.")
    ],
    begin: Annotated[
        str,
        typer.Option(
            "--from",
            help="First time, such as 2026-03-01, 2026-03-01T02:30 (in the zone of the schedule) "
            "or 2026-03-01T01:30:00Z.",
        ),
    ],
    end: Annotated[str, typer.Option("--to", help="Last time, included. Default: now.")] = "",
    most: Annotated[
        int, typer.Option("--max", min=1, max=10_000, help="Refuse to start more runs.")
    ] = 100,
    parallel: Annotated[
        int,
        typer.Option(min=0, help="Runs of the schedule at the same time. 0: create all at once."),
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the times.")] = False,
    yes: options.Yes = False,
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Start the runs of times that have passed, oldest first.

    A time whose run exists is left out, so the command can be repeated and continued. It ends
    when the last run is created. The runs are made as the schedule would make them, are listed
    with its label, and are kept by its history limits.
    """
    from waypost.cli.connection.backfilling import carry_out, plan
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.report import format
    from waypost.cli.report.tables import confirm, show_table

    target = Target(kubeconfig, context, namespace)

    async def look(session: "Session") -> "Plan":
        return await plan(session, schedule, begin=begin, end=end)

    found = with_cluster(target, look)
    rows = [(text, name, "exists" if name in found.existing else "") for text, name in found.times]
    show_table(("TIME", "RUN", "STATE"), rows)
    missing = len(found.times) - len(found.existing)
    if not missing:
        typer.echo("no run to start")
        return
    if dry_run:
        typer.echo(f"{format.count(missing, 'run')} would be started")
        return
    if missing > most:
        text = f"{missing:,} runs would be started; raise --max {most}, or choose less time"
        raise CommandError(text, code=Exit.USAGE)
    confirm(f"Start {format.count(missing, 'run')}?", yes=yes)
    made = with_cluster(
        target, lambda session: carry_out(session, found, parallel=parallel, say=typer.echo)
    )
    typer.echo(f"{format.count(made, 'run')} started")
