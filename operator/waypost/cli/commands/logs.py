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
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Print the log of a node, as long as its pod exists."""
    from waypost.api.meta import NODE_CONTAINER
    from waypost.cli.connection.cluster import Target, find_run, with_cluster
    from waypost.cli.report.format import write

    async def work(session: "Session") -> str:
        found = await find_run(session, run)
        _check_node(found, node)
        pod = await _pod(session, found["metadata"]["uid"], node=node, attempt=attempt)
        return await session.cluster.read_log(
            namespace=session.namespace,
            pod=pod,
            container=NODE_CONTAINER,
            tail_lines=tail,
            limit_bytes=LIMIT_BYTES,
        )

    text = with_cluster(Target(kubeconfig, context, namespace), work)
    write(text, raw=raw)


def _check_node(run: "Obj", node: str) -> None:
    names = [each["name"] for each in run["spec"].get("nodes") or ()]
    # Compensations, nodes of finally, and the nodes of a run of a template.
    known = [each["path"] for each in (run.get("status") or {}).get("nodes") or ()]
    names = list(dict.fromkeys([*names, *known]))
    if node not in names:
        text = f"no node {node!r} in {run['metadata']['name']}; its nodes are: {', '.join(names)}"
        raise CommandError(text, code=Exit.NOT_FOUND)


async def _pod(session: "Session", run_uid: str, *, node: str, attempt: int | None) -> str:
    """Name of the pod of an attempt; default: the latest attempt. Raises CommandError."""
    from waypost.api.meta import LABEL_ATTEMPT, LABEL_NODE, LABEL_RUN
    from waypost.ports.cluster import Kind

    labels = f"{LABEL_RUN}={run_uid},{LABEL_NODE}={node.replace('/', '.')}"
    if attempt is not None:
        labels += f",{LABEL_ATTEMPT}={attempt}"
    pods = (await session.cluster.list(Kind.POD, namespace=session.namespace, labels=labels)).items
    if not pods:
        which = f"attempt {attempt} of {node}" if attempt else node
        text = (
            f"no pod found for {which}: it has not started, its pod was removed (job TTL), or its "
            "kind has no pod; see `waypost trace`"
        )
        raise CommandError(text, code=Exit.NOT_FOUND)
    latest = max(pods, key=lambda pod: int(pod["metadata"]["labels"].get(LABEL_ATTEMPT, "0")))
    return str(latest["metadata"]["name"])
