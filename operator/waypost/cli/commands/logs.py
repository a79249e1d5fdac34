"""`waypost logs`: the log of a node."""

from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options
from waypost.cli.errors import no_node

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
    """Print the log of a node, also after its pod is gone."""
    from functools import partial

    from waypost.cli.connection.cluster import Target, find_run, with_cluster
    from waypost.cli.connection.log_lines import follow_log
    from waypost.cli.reading.node_logs import read_node_log
    from waypost.cli.report.format import write

    say = partial(write, raw=raw)

    async def work(session: "Session") -> None:
        found = await find_run(session, run)
        _check_node(found, node)
        if follow and not _has_ended(found, node):
            await follow_log(session, run, node=node, attempt=attempt, tail=tail, say=say)
            return
        log = await read_node_log(
            session, found, node, attempt=attempt, lines=tail, limit_bytes=LIMIT_BYTES
        )
        # Not on standard output, which has the log and nothing else.
        typer.echo(f"waypost: attempt {log.attempt}, from {log.source}", err=True)
        for note in log.notes:
            typer.echo(f"waypost: {note}", err=True)
        say(log.text)

    with_cluster(Target(kubeconfig, context, namespace), work)


def _has_ended(run: "Obj", node: str) -> bool:
    from waypost.api.paths import entry_of
    from waypost.api.status import FINAL_PHASES

    entry = entry_of(node)
    states = [one for one in (run.get("status") or {}).get("nodes") or () if one["path"] == entry]
    return any(one.get("phase") in FINAL_PHASES for one in states)


def _check_node(run: "Obj", node: str) -> None:
    from waypost.api.paths import entry_of

    names = [each["name"] for each in run["spec"].get("nodes") or ()]
    # Compensations, nodes of finally, and the nodes of a run of a template.
    known = [each["path"] for each in (run.get("status") or {}).get("nodes") or ()]
    names = list(dict.fromkeys([*names, *known]))
    if entry_of(node) not in names:
        raise no_node(run["metadata"]["name"], node, names)
