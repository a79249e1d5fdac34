"""`waypost suspend`, `resume` and `cancel`: set one field of a run that may change at any time."""

import typer

from waypost.cli.commands import options


def _switch(field: str, *, value: bool, help: str, done: str) -> typer.Typer:
    """A command that sets `spec.<field>`; prints `done` once the API server has accepted it."""
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
        typer.echo(f"{run} {done.format(run=run)}")

    return app


suspend = _switch(
    "suspend",
    value=True,
    help="Suspend a run: running nodes finish, no new node starts.",
    done="is suspended; continue with `waypost resume {run}`",
)
resume = _switch(
    "suspend",
    value=False,
    help="Resume a suspended run.",
    done="is resumed",
)
cancel = _switch(
    "cancel",
    value=True,
    help="Cancel a run for good. Results that are already recorded are kept; finally still runs.",
    done="is being cancelled",
)
