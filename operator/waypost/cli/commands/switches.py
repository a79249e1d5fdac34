"""Commands that set one field of a run's spec, which may change at any time."""

import typer

from waypost.cli.commands import options


def switch(field: str, value: bool, *, help: str, said: str) -> typer.Typer:
    """The app of such a command; `said` is told of the run once the API server has taken it."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)

    @app.command(help=help)
    def set_it(
        run: options.Run,
        namespace: options.Namespace = None,
        context: options.Context = None,
        kubeconfig: options.Kubeconfig = None,
    ) -> None:
        from waypost.cli.connection.changes import set_field
        from waypost.cli.connection.cluster import Target, with_cluster

        target = Target(kubeconfig, context, namespace)
        with_cluster(target, lambda session: set_field(session, run, field, value))
        typer.echo(f"{run} {said.format(run=run)}")

    return app
