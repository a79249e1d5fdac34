"""`waypost ui`: the web interface, on one's own kubeconfig or, with `serve`, in the cluster."""

import socket
from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit
from waypost.ui.shared import command as shared
from waypost.ui.shared.command import check_address

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session

app = typer.Typer(add_completion=False, rich_markup_mode=None)
app.add_typer(shared.app)


@app.callback(invoke_without_command=True)
def ui(
    ctx: typer.Context,
    namespace: options.Namespace = None,
    everywhere: options.Everywhere = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1. 0 picks a free port.")
    ] = 0,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Refuse every request that changes something.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    prefix: Annotated[
        str, typer.Option(metavar="PATH", help="Serve below this path, such as /team/waypost.")
    ] = "",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST[:PORT]", help="Also answer to this name, of a proxy. Can be repeated."
        ),
    ] = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Show runs in a browser, with your own rights.

    Prints a link that works once, for one browser. Ctrl-C stops the server.
    """
    if ctx.invoked_subcommand is not None:
        _check_nothing_given(ctx)
        return
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.ui.server import ADDRESS, Options, Serving
    from waypost.ui.session import Sessions

    _check(prefix, allow_host or [], everywhere=everywhere, namespace=namespace)
    try:
        listening = socket.create_server((ADDRESS, port))
    except OSError as error:
        raise CommandError(f"--port: cannot listen on {ADDRESS}:{port}: {error}") from error
    sessions = Sessions(port=listening.getsockname()[1])
    serving = Options(
        prefix=prefix, read_only=read_only, everywhere=everywhere, hosts=allow_host or ()
    )

    async def work(session: "Session") -> None:
        link = f"http://{ADDRESS}:{sessions.port}{prefix}/#token={sessions.secret}"
        where = "all namespaces" if everywhere else f"namespace {session.namespace}"
        typer.echo(f"waypost ui shows {where}{' (read-only)' if read_only else ''}: {link}")
        typer.echo("the link works once, for one browser; Ctrl-C stops the server")
        if browser:
            import webbrowser

            webbrowser.open(link)
        await Serving(session, listening, sessions, serving).run()

    with listening:
        try:
            with_cluster(Target(kubeconfig, context, namespace), work)
        except typer.Exit:
            return  # Ctrl-C is how it ends


def _check(prefix: str, hosts: list[str], *, everywhere: bool, namespace: str | None) -> None:
    if everywhere and namespace:
        text = "--all-namespaces and --namespace exclude each other; use one of them"
        raise CommandError(text, code=Exit.USAGE)
    check_address(prefix, hosts)


def _check_nothing_given(ctx: typer.Context) -> None:
    """Raises CommandError for an option before `serve`, where it has no effect."""
    for name in ctx.params:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            text = f"--{name.replace('_', '-')}: options of `waypost ui serve` stand behind `serve`"
            raise CommandError(text, code=Exit.USAGE)
