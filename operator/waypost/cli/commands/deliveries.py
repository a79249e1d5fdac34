"""`waypost deliveries`: what webhooks have delivered, what a request would become, and replay."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.views.triggers.deliveries import DeliveryRow

app = typer.Typer(add_completion=False, rich_markup_mode=None)

COLUMNS = ("NAME", "SOURCE", "WHAT", "KEY", "PHASE", "RUN", "NODE", "AGE", "MESSAGE")


@app.callback(invoke_without_command=True)
def deliveries(
    ctx: typer.Context,
    source: Annotated[str, typer.Option("--source", help="Only those of this EventSource.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    namespace: options.Namespace = None,
    everywhere: options.Everywhere = False,
    output: options.Output = "text",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """List the requests that became events, newest first.

    An event is kept for a day after it was taken, at most eight days. Refused requests are not
    listed: their sender has the reason.
    """
    if ctx.invoked_subcommand is not None:
        return
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.connection.pages import read_list
    from waypost.cli.report.output import RESOURCES, emit, form_of
    from waypost.ports.cluster import Kind
    from waypost.views.triggers.deliveries import delivery_row

    form = form_of(output)

    async def work(session: "Session") -> "list[DeliveryRow]":
        found, _ = await read_list(
            session, Kind.WORKFLOW_EVENT, delivery_row, everywhere=everywhere
        )
        kept = [one for one in found if one is not None and source in ("", one.source)]
        return sorted(kept, key=lambda one: (one.received_at, one.name), reverse=True)[:limit]

    found = with_cluster(Target(kubeconfig, context, namespace), work)
    if form.for_programs:
        names = (f"{RESOURCES['event']}/{one.name}" for one in found)
        emit(form, {"items": [one.to_json() for one in found]}, names=names)
        return
    _print(found, everywhere=everywhere)


@app.command("test")
def try_out(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Body of a request; - for standard input.")
    ],
    source: Annotated[
        str, typer.Option("--source", help="EventSource of the cluster, or in --filename.")
    ] = "",
    filename: Annotated[
        Path | None,
        typer.Option("--filename", "-f", metavar="FILE", help="Manifest of the EventSource."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="NAME: VALUE", help="Header. Can be repeated."),
    ] = None,
    namespace: options.Namespace = None,
    output: options.Document = "text",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Show what a request would become, without sending it.

    The signature is not checked. Exit code 1: it would be refused, or no rule applies.
    """
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.reading.requests import parse_headers, source_in, source_of, tried
    from waypost.cli.report.output import emit, form_of

    form, headers = form_of(output, named=False), parse_headers(header or ())
    if not source and filename is None:
        raise CommandError("expected --source or --filename", code=Exit.USAGE)
    content = _content(file)
    if filename is not None:
        found = source_in(filename, source)
    else:
        target = Target(kubeconfig, context, namespace)
        found = with_cluster(target, lambda session: source_of(session, source))
    result = tried(found, headers, content)
    if form.for_programs:
        emit(form, result)
    else:
        _explain(result)
    if result["result"] not in ("Event", "Start"):
        raise typer.Exit(Exit.FAILED)


@app.command()
def replay(
    name: Annotated[str, typer.Argument(metavar="EVENT", help="Name of the WorkflowEvent.")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FORMAT", help="text or name.")
    ] = "text",
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Deliver an event again, in your name: send a new event with the same content, or start a run
    of the same template with the same inputs."""
    from waypost.cli.actions.event_manifest import replayed
    from waypost.cli.connection.cluster import Target, with_cluster

    if output not in ("text", "name"):
        raise CommandError(f"--output {output}: expected text or name", code=Exit.USAGE)

    async def work(session: "Session") -> tuple[str, str]:
        resource, made = await replayed(session, name)
        return f"{resource}/{made}", session.namespace

    made, where = with_cluster(Target(kubeconfig, context, namespace), work)
    typer.echo(made if output == "name" else f"{made} is created in namespace {where}")


def _content(file: Path) -> bytes:
    import sys

    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", code=Exit.USAGE) from error


def _explain(result: dict[str, Any]) -> None:
    from waypost.cli.report import format

    if problem := result.get("problem"):
        typer.echo(f"refused with {problem['status']}: {format.tame(problem['detail'], limit=500)}")
        if field := problem.get("field"):
            typer.echo(f"field    {field}")
        for error in problem.get("errors", ()):
            text = f"{error['path']}: expected {error['expected']}, found {error['found']}"
            typer.echo(f"  {format.tame(text, limit=300)}")
        return
    if result["result"] == "NoRule":
        typer.echo("no rule applies: the sender gets 200, and nothing happens")
        return
    metadata, spec = result["event"]["metadata"], result["event"]["spec"]
    start = spec.get("start")
    lines = [("rule", result["rule"]), ("id", result["id"]), ("object", metadata["name"])]
    if start is not None:
        lines.append(("starts", f"a run of template {start['templateRef']['name']}"))
    else:
        lines += [("event", spec["name"]), ("key", spec["key"])]
    data = start.get("inputs") if start is not None else spec.get("payload")
    if data is not None:
        word = "inputs" if start is not None else "payload"
        lines.append((word, json.dumps(data, ensure_ascii=False)))
    for word, text in lines:
        typer.echo(f"{word:<8} {format.tame(text, limit=2000)}")


def _print(found: "list[DeliveryRow]", *, everywhere: bool) -> None:
    from waypost.cli.report.tables import show_table

    if not found:
        typer.echo("no deliveries", err=True)
    head = (("NAMESPACE",) if everywhere else ()) + COLUMNS
    show_table(head, [((one.namespace,) if everywhere else ()) + _cells(one) for one in found])


def _cells(one: "DeliveryRow") -> tuple[str, ...]:
    from datetime import UTC, datetime

    from waypost.cli.report import format

    return (
        one.name,
        one.source,
        f"starts {one.template}" if one.template else one.event or "-",
        one.key or "-",
        one.phase,
        one.run or "-",
        one.node or "-",
        format.age(one.received_at, now=datetime.now(UTC)),
        format.tame(one.message or "-", limit=80),
    )
