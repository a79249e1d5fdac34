"""`waypost send`: send an event to a node that waits for it, or will."""

from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def send(
    name: Annotated[
        str, typer.Argument(metavar="EVENT", help="What happened, such as payment.succeeded.")
    ],
    key: Annotated[
        str, typer.Option("--key", help="What it happened to: event.key of the node.")
    ] = "",
    run: Annotated[
        str, typer.Option("--run", help="Run that it is for, whose node has no event.key.")
    ] = "",
    payload: Annotated[
        str, typer.Option("--payload", "-p", help="Its data: JSON, or @FILE with JSON.")
    ] = "",
    id_: Annotated[
        str, typer.Option("--id", help="Name of the event. Sending it again has no effect.")
    ] = "",
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FORMAT", help="text or name.")
    ] = "text",
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Send an event to a node of kind event.

    One node takes it, now or when it begins to wait, within seven days.
    """
    from waypost.cli.actions.event_manifest import manifest_of
    from waypost.cli.actions.event_manifest import send as send_event
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.report.output import RESOURCES

    if bool(key) == bool(run):
        raise CommandError("expected either --key or --run", code=Exit.USAGE)
    if output not in ("text", "name"):
        raise CommandError(f"--output {output}: expected text or name", code=Exit.USAGE)
    manifest = manifest_of(name, key=key, run=run, payload=payload, id_=id_)

    async def work(session: "Session") -> tuple[str, bool, str]:
        made, new = await send_event(session, manifest)
        return made, new, session.namespace

    made, new, where = with_cluster(Target(kubeconfig, context, namespace), work)
    if output == "name":
        typer.echo(f"{RESOURCES['event']}/{made}")
        return
    typer.echo(f"{made} is sent in namespace {where}" if new else f"{made} was sent before")
