"""`waypost logs`: the log of a node."""

from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.ports.cluster import Obj

app = typer.Typer(add_completion=False, rich_markup_mode=None)

LIMIT_BYTES = 1024 * 1024


@app.command()
def logs(
    run: options.Run,
    node: Annotated[str, typer.Argument(metavar="NODE", help="Name of the node.")],
    namespace: options.Namespace = None,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Attempt number. Default: the latest attempt.")
    ] = None,
    tail: Annotated[
        int, typer.Option(min=1, help="Maximum number of lines, counted from the end.")
    ] = 1000,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="Print control characters to a terminal too. A pipe always gets them.",
        ),
    ] = False,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Print new lines, also of later attempts, to the end."),
    ] = False,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Print the log of a node, as long as its pod exists."""
    from functools import partial

    from waypost.api.meta import NODE_CONTAINER
    from waypost.cli.connection.cluster import Target, find_run, with_cluster
    from waypost.cli.connection.log_lines import follow_log, latest_pod
    from waypost.cli.report.format import write

    say = partial(write, raw=raw)

    async def work(session: "Session") -> None:
        found = await find_run(session, run)
        _check_node(found, node)
        if follow:
            await follow_log(session, run, node=node, attempt=attempt, tail=tail, say=say)
            return
        pod = await latest_pod(session, found["metadata"]["uid"], node=node, attempt=attempt)
        if pod is None:
            raise CommandError(_missing(node, attempt), code=Exit.NOT_FOUND)
        text = await session.cluster.read_log(
            namespace=session.namespace,
            pod=pod["metadata"]["name"],
            container=NODE_CONTAINER,
            tail_lines=tail,
            limit_bytes=LIMIT_BYTES,
        )
        say(text)

    with_cluster(Target(kubeconfig, context, namespace), work)


def _check_node(run: "Obj", node: str) -> None:
    names = [each["name"] for each in run["spec"].get("nodes") or ()]
    # Compensations, nodes of finally, and the nodes of a run of a template.
    known = [each["path"] for each in (run.get("status") or {}).get("nodes") or ()]
    names = list(dict.fromkeys([*names, *known]))
    if node not in names:
        text = f"no node {node!r} in {run['metadata']['name']}; its nodes are: {', '.join(names)}"
        raise CommandError(text, code=Exit.NOT_FOUND)


def _missing(node: str, attempt: int | None) -> str:
    which = f"attempt {attempt} of {node}" if attempt else node
    return (
        f"no pod found for {which}: it has not started, its pod was removed (job TTL), or its "
        "kind has no pod; see `waypost trace`"
    )
