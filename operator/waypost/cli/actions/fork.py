"""`waypost fork`: start a new run from the checkpoints of another one."""

from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.views.documents import ForkPreview

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def fork(
    run: options.Run,
    from_: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="NODE", help="Run this node and all nodes after it again."),
    ] = None,
    skip: options.SkippedNodes = None,
    output: options.GivenOutputs = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="KEY=VALUE",
            help="Change an input of the run: JSON, else text; @FILE reads it from a file.",
        ),
    ] = None,
    file: options.ChangedSpec = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the new run. Default: RUN-fork- and a random end."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what the new run takes over; change nothing."),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Show the new run until it has ended.")
    ] = False,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            "-o",
            metavar="FORMAT",
            help="text, json, yaml, name or jsonpath=TEMPLATE. With --dry-run: what the new run "
            "takes over; else the new run.",
        ),
    ] = "text",
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Start a new run from the checkpoints of another one.

    The other run stays as it is. The new run takes over the results of nodes whose definition and
    inputs are unchanged, and runs the others. Exit code 1: a result cannot be taken over and must
    not be repeated; nothing was started.
    """
    from waypost.cli.connection import changes, starting
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.reading.forks import forked
    from waypost.cli.report.following import follow
    from waypost.cli.report.output import RESOURCES, emit, form_of

    chosen = form_of(form, own=("text",), named=not dry_run)
    if wait and dry_run:
        raise CommandError("--wait and --dry-run exclude each other", code=Exit.USAGE)
    request = {"from": from_, "skip": skip, "outputs": changes.given_outputs(output or [])}
    asked = {key: value for key, value in request.items() if value}
    edited = None if file is None else changes.edited_spec(file, run)
    inputs = starting.given_inputs(given or [])

    async def work(session: "Session") -> bool:
        shown, manifest = await forked(
            session, run, asked=asked, inputs=inputs, edited=edited, name=name
        )
        if chosen.for_programs and dry_run:
            emit(chosen, shown.to_json())
        elif dry_run or shown.problems:
            _print(shown)
        if dry_run or shown.problems:
            return not shown.problems
        made = await starting.create(session, manifest)
        made_name = str(made["metadata"]["name"])
        if chosen.for_programs:
            emit(chosen, made, names=[f"{RESOURCES['run']}/{made_name}"])
        else:
            counts = _counts(shown)
            typer.echo(f"{made_name} is created from {run}: {counts}", err=wait)
        return await follow(session, made_name, seconds=None) if wait else True

    if not with_cluster(Target(kubeconfig, context, namespace), work):
        raise typer.Exit(Exit.FAILED)


def _counts(shown: "ForkPreview") -> str:
    words = {"keep": "taken over", "run": "run", "skip": "skipped"}
    actions = [node.action for node in shown.nodes]
    return ", ".join(f"{actions.count(action)} {word}" for action, word in words.items())


def _print(shown: "ForkPreview") -> None:
    from waypost.cli.report import format
    from waypost.cli.report.rounds import cost_line
    from waypost.cli.report.tables import show_table

    if shown.problems:
        typer.echo(f"no run can be made from {shown.name}:")
        for problem in shown.problems:
            typer.echo(f"  {format.tame(problem, limit=1000)}")
        return
    typer.echo(f"a new run from {shown.name}: {_counts(shown)}")
    rows = [
        (node.action, node.path, node.kind, node.phase, node.effect, node.message or "")
        for node in shown.nodes
    ]
    show_table(("ACTION", "NODE", "KIND", "NOW", "EFFECT", "WHY"), rows)
    typer.echo(cost_line(shown.cost))
    typer.echo("nothing was changed; the same command without --dry-run starts the run")
