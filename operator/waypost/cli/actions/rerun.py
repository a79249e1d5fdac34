"""`waypost rerun`: start a new round of a run."""

from typing import Annotated

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def rerun(
    run: options.Run,
    from_: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="NODE",
            help="Run this node, or one item of it such as scan/3, and all nodes after it again.",
        ),
    ] = None,
    skip: options.SkippedNodes = None,
    output: options.GivenOutputs = None,
    file: options.ChangedSpec = None,
    latest: Annotated[
        bool,
        typer.Option("--latest", help="Use the current version of the run's template."),
    ] = False,
    refresh_memory: Annotated[
        bool,
        typer.Option(
            "--refresh-memory",
            help="Read the memory of the run again; nodes that read something else run again.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what the round would do and cost; change nothing."),
    ] = False,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            help="How long to wait until the operator starts the round.",
        ),
    ] = 15.0,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            "-o",
            metavar="FORMAT",
            help="Only with --dry-run: text, json, yaml or jsonpath=TEMPLATE.",
        ),
    ] = "text",
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Start a new round of a run.

    Runs failed nodes, or the nodes you name, and all nodes after them again. Results of all other
    nodes are kept if their definition is unchanged. Exit code 1: the round was rejected and the run
    is unchanged.
    """
    from waypost.cli.connection import changes
    from waypost.cli.connection.cluster import Session, Target, with_cluster
    from waypost.cli.connection.people import user_name
    from waypost.kube.objects import items, text

    given = changes.given_outputs(output or [])
    request = {
        "from": from_,
        "skip": skip,
        "outputs": given,
        "template": "Latest" if latest else None,
        "memory": "Refresh" if refresh_memory else None,
    }
    edited = None if file is None else changes.edited_spec(file, run)

    named = {key: value for key, value in request.items() if value}
    target = Target(kubeconfig, context, namespace)
    if dry_run:
        from waypost.cli.report.rounds import preview_round

        preview_round(target, run, named, edited, form=form)
        return
    if form != "text":
        raise CommandError("--format is only used with --dry-run", code=Exit.USAGE)

    async def work(session: Session) -> None:
        user = await user_name(session)
        asked = {**named, **({"requestedBy": user} if user else {})}
        number = await changes.begin_round(session, run, asked, edited)
        started = await changes.verdict(session, run, number, seconds=wait)
        if started is None:
            typer.echo(f"round {number} is requested, but no operator has started it yet")
            return
        typer.echo(f"round {number} of {run} has started")
        for node in items(started, "status", "nodes"):
            if disposition := text(node, "disposition"):
                typer.echo(
                    f"  {text(node, 'path')}: {disposition}: {text(node, 'dispositionMessage')}"
                )

    with_cluster(target, work)
