"""`waypost resume`: let a run go on."""

from typing import Annotated

import typer

from waypost.cli import options

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name of the AgentWorkflow.")],
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Let a run that is held go on."""
    from waypost.cli.cluster import Target, with_cluster
    from waypost.cli.steering import set_field

    target = Target(kubeconfig, context, namespace)
    with_cluster(target, lambda session: set_field(session, run, "suspend", False))
    typer.echo(f"{run} goes on")
