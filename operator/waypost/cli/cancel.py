"""`waypost cancel`: stop a run for good."""

from typing import Annotated

import typer

from waypost.cli import options

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def cancel(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name of the AgentWorkflow.")],
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Stop everything of a run, for good. Results that are in stay."""
    from waypost.cli.cluster import Target, with_cluster
    from waypost.cli.steering import set_field

    target = Target(kubeconfig, context, namespace)
    with_cluster(target, lambda session: set_field(session, run, "cancel", True))
    typer.echo(f"{run} is being stopped")
