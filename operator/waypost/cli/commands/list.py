"""`waypost list`: the runs of a namespace or of all namespaces."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.archive.client import Where
    from waypost.cli.archive.rows import Filters
    from waypost.cli.connection.cluster import Session, Target
    from waypost.views.models import RunRow

app = typer.Typer(add_completion=False, rich_markup_mode=None)

WATCH_SECONDS = 2.0
ARCHIVED = 100  # rows of a list of the archive, if --limit does not say it
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
        int,
        typer.Option("--limit", min=0, help="At most so many runs. 0: all, or 100 archived ones."),
    ] = 0,
    token: Annotated[
        str, typer.Option("--continue", help="Where an earlier list with --limit ended.")
    ] = "",
    template: Annotated[
        str, typer.Option("--template", help="Only runs of this template (--archived).")
    ] = "",
    text: Annotated[
        str,
        typer.Option(
            "--text", help="Only with this in names, messages, inputs or outputs (--archived)."
        ),
    ] = "",
    since: Annotated[
        str,
        typer.Option("--since", help="Only ended since then: a time, or 24h (--archived)."),
    ] = "",
    until: Annotated[
        str, typer.Option("--until", help="Only ended before: a time, or 24h (--archived).")
    ] = "",
    min_cost: Annotated[
        str, typer.Option("--min-cost", help="Only if they cost so many dollars (--archived).")
    ] = "",
    archived: options.Archived = False,
    archive: options.Archive = "",
    output: Annotated[
        str, options.output_of("text, wide, json, yaml, name or jsonpath=TEMPLATE.")
    ] = "text",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """List runs, newest last.

    With --archived, those of the archive, with the newest end first, 100 at a time.
    """
    from waypost.cli.archive.client import Where
    from waypost.cli.archive.rows import Filters
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.report.output import RESOURCES, emit, form_of

    form = form_of(output, own=("text", "wide"))
    filters = Filters(template, text, since, until, min_cost)
    target, where = Target(kubeconfig, context, namespace), Where(archive, archived)
    _check(filters, everywhere=everywhere, namespace=namespace, archived=archived)
    if watch and (limit or token or archived or form.for_programs):
        message = (
            "--watch prints lines of text; remove --limit, --continue, --archived and --output"
        )
        raise CommandError(message, code=Exit.USAGE)
    asked = _Asked(everywhere, selector, [_phase(one) for one in phase or []], limit, token)

    async def read(session: "Session") -> "tuple[list[tuple[RunRow, str]], str]":
        if archived:
            kept, rest = await _from_archive(session, target, where, filters, asked)
        else:
            kept, rest = await _from_cluster(session, asked)
        if not kept:
            place = "any namespace" if everywhere else f"namespace {session.namespace}"
            typer.echo(f"no runs in {place}", err=True)
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

    with_cluster(target, work)


def _phase(given: str) -> str:
    """A phase in its own spelling. Raises CommandError if there is no such phase."""
    from waypost.api.status import RunPhase

    known: dict[str, str] = {name.lower(): name for name in get_args(RunPhase)}
    if found := known.get(given.lower()):
        return found
    message = f"--phase {given}: expected one of {', '.join(known.values())}"
    raise CommandError(message, code=Exit.USAGE)


@dataclass(frozen=True)
class _Asked:
    """Options of both lists."""

    everywhere: bool
    selector: str
    phases: list[str]
    limit: int
    token: str


def _check(filters: "Filters", *, everywhere: bool, namespace: str | None, archived: bool) -> None:
    if everywhere and namespace:
        text = "--all-namespaces and --namespace exclude each other; use one of them"
        raise CommandError(text, code=Exit.USAGE)
    if not archived and (given := filters.given()):
        raise CommandError(f"{given[0]} needs --archived", code=Exit.USAGE)


async def _from_cluster(
    session: "Session", asked: _Asked
) -> "tuple[list[tuple[RunRow, str]], str]":
    """Rows with the versions of their runs, and where the list continues."""
    from waypost.cli.connection.pages import read_list
    from waypost.ports.cluster import Kind
    from waypost.views.row import row

    found, rest = await read_list(
        session,
        Kind.AGENT_WORKFLOW,
        lambda run: (row(run), str(run["metadata"].get("resourceVersion"))),
        everywhere=asked.everywhere,
        labels=asked.selector,
        limit=asked.limit,
        token=asked.token,
    )
    kept = [one for one in found if not asked.phases or one[0].phase in asked.phases]
    if not asked.limit:
        kept.sort(key=lambda one: one[0].created_at or "")
    return kept, rest


async def _from_archive(
    session: "Session", target: "Target", where: "Where", filters: "Filters", asked: _Asked
) -> "tuple[list[tuple[RunRow, str]], str]":
    from datetime import UTC, datetime

    from waypost.cli.archive.rows import parameters, rows

    query = parameters(
        filters,
        namespace="" if asked.everywhere else session.namespace,
        labels=asked.selector,
        phases=asked.phases,
        now=datetime.now(UTC),
    )
    query += [("continue", asked.token)] if asked.token else []
    found, rest = await rows(target, where, query, limit=asked.limit or ARCHIVED)
    return [(one, "") for one in found], rest


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
