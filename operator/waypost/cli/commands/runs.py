"""`waypost runs`: the runs of a namespace or of all namespaces."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli.commands import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.ports.cluster import Obj

app = typer.Typer(add_completion=False, rich_markup_mode=None)

WATCH_SECONDS = 2.0
COLUMNS = ("NAME", "PHASE", "PROGRESS", "WAITING", "TOKENS", "COST", "AGE")


@app.command()
def runs(
    namespace: options.Namespace = None,
    everywhere: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="List runs in all namespaces.")
    ] = False,
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="Label selector, as in kubectl.")
    ] = "",
    watch: Annotated[
        bool,
        typer.Option("--watch", "-w", help="Watch for changes and print each run that changes."),
    ] = False,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """List runs, newest last."""
    from waypost.cli.connection.cluster import Target, with_cluster

    if everywhere and namespace:
        text = "--all-namespaces and --namespace exclude each other; use one of them"
        raise CommandError(text, code=Exit.USAGE)

    async def work(session: "Session") -> None:
        seen: dict[str, str] = {}
        while True:
            items = await _list(session, everywhere=everywhere, selector=selector)
            changed = [run for run in items if seen.get(_uid(run)) != _version(run)]
            _print(changed, everywhere=everywhere, first=not seen)
            seen = {_uid(run): _version(run) for run in items} or seen
            if not watch:
                return
            await asyncio.sleep(WATCH_SECONDS)

    with_cluster(Target(kubeconfig, context, namespace), work)


async def _list(session: "Session", *, everywhere: bool, selector: str) -> "list[Obj]":
    from waypost.ports.cluster import Kind

    found = await session.cluster.list(
        Kind.AGENT_WORKFLOW,
        namespace=None if everywhere else session.namespace,
        labels=selector,
    )
    if not found.items:
        where = "any namespace" if everywhere else f"namespace {session.namespace}"
        typer.echo(f"no runs in {where}", err=True)
    return sorted(found.items, key=lambda run: str(run["metadata"].get("creationTimestamp")))


def _uid(run: "Obj") -> str:
    return str(run["metadata"]["uid"])


def _version(run: "Obj") -> str:
    return str(run["metadata"].get("resourceVersion"))


def _print(items: "list[Obj]", *, everywhere: bool, first: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from waypost.cli.report import render

    if not items:
        return
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="none", show_header=first
    )
    for column in (("NAMESPACE",) if everywhere else ()) + COLUMNS:
        table.add_column(column, no_wrap=True)
    for run in items:
        cells = ((run["metadata"]["namespace"],) if everywhere else ()) + _cells(run)
        table.add_row(*(Text(cell) for cell in cells))
    render.show(render.console(), table)


def _cells(run: "Obj") -> tuple[str, ...]:
    from datetime import UTC, datetime

    from waypost.cli.report import format
    from waypost.views.run.describe import run_view

    shown = run_view(run, now=datetime.now(UTC))
    used = shown.usage
    total = (used.input_tokens or 0) + (used.output_tokens or 0) if used else 0
    estimated = bool(used and used.estimated_model_calls)
    cost = format.cost(used.cost_usd, estimated=estimated) if used else ""
    return (
        shown.name,
        shown.phase,
        shown.progress or "-",
        format.tame(shown.waiting or "-"),
        f"{total:,}" if total else "-",
        cost or "-",
        format.age(shown.created_at, now=datetime.now(UTC)),
    )
