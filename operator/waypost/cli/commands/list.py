"""`waypost list`: the runs of a namespace or of all namespaces."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.views.models import RunRow

app = typer.Typer(add_completion=False, rich_markup_mode=None)

WATCH_SECONDS = 2.0
COLUMNS = ("NAME", "PHASE", "PROGRESS", "WAITING", "TOKENS", "COST", "AGE")
WIDE = ("ROUND", "REASON", "TEMPLATE", "PARENT", "SCHEDULE", "BY", "DURATION")


@app.command()
def list_runs(
    namespace: options.Namespace = None,
    everywhere: options.Everywhere = False,
    selector: options.Selector = "",
    phase: Annotated[
        list[str] | None,
        typer.Option("--phase", help="Only runs in this phase. Can be repeated."),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", "-w", help="Watch for changes and print each run that changes."),
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="At most so many runs, by name. 0: all.")
    ] = 0,
    token: Annotated[
        str, typer.Option("--continue", help="Where an earlier list with --limit ended.")
    ] = "",
    output: Annotated[
        str, options.output_of("text, wide, json, yaml, name or jsonpath=TEMPLATE.")
    ] = "text",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """List runs, newest last."""
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.connection.pages import read_list
    from waypost.cli.report.output import RESOURCES, emit, form_of
    from waypost.ports.cluster import Kind
    from waypost.views.row import row

    form = form_of(output, own=("text", "wide"))
    if everywhere and namespace:
        text = "--all-namespaces and --namespace exclude each other; use one of them"
        raise CommandError(text, code=Exit.USAGE)
    if watch and (limit or token or form.for_programs):
        text = "--watch prints lines of text; remove --limit, --continue and --output"
        raise CommandError(text, code=Exit.USAGE)

    async def read(session: "Session") -> "tuple[list[tuple[RunRow, str]], str]":
        found, rest = await read_list(
            session,
            Kind.AGENT_WORKFLOW,
            lambda run: (row(run), str(run["metadata"].get("resourceVersion"))),
            everywhere=everywhere,
            labels=selector,
            limit=limit,
            token=token,
        )
        kept = [one for one in found if not phase or one[0].phase in phase]
        if not limit:
            kept.sort(key=lambda one: one[0].created_at or "")
        if not kept:
            where = "any namespace" if everywhere else f"namespace {session.namespace}"
            typer.echo(f"no runs in {where}", err=True)
        return kept, rest

    async def work(session: "Session") -> None:
        kept, rest = await read(session)
        rows = [one for one, _ in kept]
        if form.for_programs:
            document = {"items": [one.to_json() for one in rows], "continue": rest}
            emit(form, document, names=(f"{RESOURCES['run']}/{one.name}" for one in rows))
        else:
            _print(rows, everywhere=everywhere, first=True, wide=form.kind == "wide")
        if rest:
            typer.echo(f"more runs: --continue {rest}", err=True)
        seen = {one.uid: version for one, version in kept}
        while watch:
            await asyncio.sleep(WATCH_SECONDS)
            kept, _ = await read(session)
            changed = [one for one, version in kept if seen.get(one.uid) != version]
            _print(changed, everywhere=everywhere, first=not seen, wide=form.kind == "wide")
            seen = {one.uid: version for one, version in kept} or seen

    with_cluster(Target(kubeconfig, context, namespace), work)


def _print(rows: "list[RunRow]", *, everywhere: bool, first: bool, wide: bool) -> None:
    from waypost.cli.report.tables import show_table

    columns = (("NAMESPACE",) if everywhere else ()) + COLUMNS + (WIDE if wide else ())
    cells = [((one.namespace,) if everywhere else ()) + _cells(one, wide=wide) for one in rows]
    show_table(columns, cells, head=first)


def _cells(one: "RunRow", *, wide: bool) -> tuple[str, ...]:
    from datetime import UTC, datetime

    from waypost.cli.report import format
    from waypost.kube.timestamps import parse_timestamp

    now = datetime.now(UTC)
    start, end = parse_timestamp(one.started_at), parse_timestamp(one.finished_at)
    seconds = ((end or now) - start).total_seconds() if start else None
    more = (
        str(one.round),
        one.reason or "-",
        one.template or "-",
        one.parent or "-",
        one.schedule or "-",
        one.requested_by or "-",
        format.duration(seconds),
    )
    return (
        one.name,
        one.phase,
        one.progress or "-",
        one.waiting or "-",
        f"{one.total_tokens:,}" if one.total_tokens else "-",
        format.cost(one.cost_usd, estimated=bool(one.estimated)) or "-",
        format.age(one.created_at, now=now),
        *(more if wide else ()),
    )
