"""`waypost suspend`, `resume` and `cancel`: set fields of a run that may change at any time."""

from pathlib import Path
from typing import Annotated

import typer

from waypost.cli import options


def _suspending(*, value: bool, help: str, done: str) -> typer.Typer:
    """A command that sets `spec.suspend`; prints `done` once the API server has accepted it."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)

    @app.command(help=help)
    def set_it(
        run: options.Run,
        namespace: options.Namespace = None,
        context: options.Context = None,
        kubeconfig: options.Kubeconfig = None,
    ) -> None:
        _set(run, {"suspend": value}, kubeconfig, context, namespace)
        typer.echo(f"{run} {done.format(run=run)}")

    return app


suspend = _suspending(
    value=True,
    help="Suspend a run: running nodes finish, no new node starts.",
    done="is suspended; continue with `waypost resume {run}`",
)
resume = _suspending(value=False, help="Resume a suspended run.", done="is resumed")
cancel = typer.Typer(add_completion=False, rich_markup_mode=None)


@cancel.command(name="cancel")
def cancel_run(
    run: options.Run,
    skip_finally: Annotated[
        bool,
        typer.Option("--skip-finally", help="Stop compensations and finally too."),
    ] = False,
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Cancel a run for good.

    Results that are already recorded are kept. Compensations and the nodes of spec.finally still
    run, unless --skip-finally is given.
    """
    skipped = {"skipFinally": True} if skip_finally else {}
    _set(run, {"cancel": True, **skipped}, kubeconfig, context, namespace)
    typer.echo(f"{run} is being cancelled{', and so is finally' if skip_finally else ''}")


def _set(
    run: str,
    fields: dict[str, bool],
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
) -> None:
    from waypost.cli.connection.changes import set_fields
    from waypost.cli.connection.cluster import Target, with_cluster

    target = Target(kubeconfig, context, namespace)
    with_cluster(target, lambda session: set_fields(session, run, fields))
