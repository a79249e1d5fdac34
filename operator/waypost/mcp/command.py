"""`waypost mcp`: the views of runs as tools for coding agents."""

from typing import TYPE_CHECKING

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def mcp(
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Serve runs to a coding agent (MCP).

    The tools only read: runs, traces, inputs and outputs, logs, costs, differences, approvals, what
    a rerun would do, and the checks of lint. They use your own rights. An agent starts this command
    itself: the protocol is on standard input and output.
    """
    from importlib.util import find_spec

    from waypost.cli.connection.cluster import Target, with_cluster

    if find_spec("mcp") is None:
        text = "waypost mcp needs the extra mcp: uv tool install '.[mcp]' in a clone of Waypost"
        raise CommandError(text, code=Exit.USAGE)
    from waypost.mcp.server import serve

    async def work(session: "Session") -> None:
        await serve(session)

    with_cluster(Target(kubeconfig, context, namespace), work)
