"""`waypost rerun`: begin a new round of a run."""

from pathlib import Path
from typing import Annotated

import typer

from waypost.cli.commands import options

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def rerun(
    run: options.Run,
    from_: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="NODE", help="Run this node again, and all after it."),
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option("--skip", metavar="NODE", help="Leave this node out.")
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option("--output", metavar="NODE=JSON", help="Give a node's result; @FILE reads it."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--filename", "-f", metavar="FILE", help="Manifest with the edited spec."),
    ] = None,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", help="For the operator's verdict.")
    ] = 15.0,
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Run a run again, from its failed nodes or from those you name.

    Every other checkpoint is kept, if the definition of its node is unchanged. Exit code 1: the
    round was refused, and the run is as it was.
    """
    from waypost.cli.connection import changes
    from waypost.cli.connection.cluster import Session, Target, with_cluster
    from waypost.engine.facts import items, text

    given = changes.given_outputs(output or [])
    asked = {"from": from_, "skip": skip, "outputs": given}
    edited = None if file is None else changes.edited_spec(file, run)

    async def work(session: Session) -> None:
        named = {key: value for key, value in asked.items() if value}
        number = await changes.begin_round(session, run, named, edited)
        begun = await changes.verdict(session, run, number, seconds=wait)
        if begun is None:
            typer.echo(f"round {number} is asked for; no operator has taken it up yet")
            return
        typer.echo(f"round {number} of {run} has begun")
        for node in items(begun, "status", "nodes"):
            if told := text(node, "disposition"):
                typer.echo(f"  {text(node, 'path')}: {told}: {text(node, 'dispositionMessage')}")

    with_cluster(Target(kubeconfig, context, namespace), work)
