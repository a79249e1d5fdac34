"""`waypost schedules`: when the next runs start."""

from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.views.triggers.schedules import ScheduleRow

app = typer.Typer(add_completion=False, rich_markup_mode=None)

COLUMNS = ("NAME", "SCHEDULES", "ZONE", "POLICY", "TEMPLATE", "NEXT", "LAST", "MISSED", "PROBLEM")


@app.command()
def schedules(
    name: Annotated[str | None, typer.Argument(metavar="[SCHEDULE]", help="Only this one.")] = None,
    count: Annotated[
        int, typer.Option("--next", min=1, max=100, help="How many starts to show.")
    ] = 1,
    namespace: options.Namespace = None,
    everywhere: options.Everywhere = False,
    output: options.Output = "text",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """List schedules with the times of their next runs."""
    from datetime import UTC, datetime

    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.connection.pages import read_list
    from waypost.cli.errors import CommandError, Exit
    from waypost.cli.report.output import RESOURCES, emit, form_of
    from waypost.ports.cluster import Kind
    from waypost.views.triggers.schedules import schedule_row

    form, now = form_of(output), datetime.now(UTC)

    async def work(session: "Session") -> "list[ScheduleRow]":
        found, _ = await read_list(
            session,
            Kind.AGENT_WORKFLOW_SCHEDULE,
            lambda body: schedule_row(body, now=now, count=count),
            everywhere=everywhere,
        )
        kept = [one for one in found if name in (None, one.name)]
        if name is not None and not kept:
            text = f"no AgentWorkflowSchedule {name!r} in {session.namespace}"
            raise CommandError(text, code=Exit.NOT_FOUND)
        return sorted(kept, key=lambda one: (not one.next, one.next[:1], one.name))

    found = with_cluster(Target(kubeconfig, context, namespace), work)
    if form.for_programs:
        names = (f"{RESOURCES['schedule']}/{one.name}" for one in found)
        emit(form, {"items": [one.to_json() for one in found]}, names=names)
        return
    _print(found, everywhere=everywhere)


def _print(found: "list[ScheduleRow]", *, everywhere: bool) -> None:
    from waypost.cli.report.tables import show_table

    if not found:
        typer.echo("no schedules", err=True)
    head = (("NAMESPACE",) if everywhere else ()) + COLUMNS
    rows: list[tuple[str, ...]] = []
    for one in found:
        before = (one.namespace,) if everywhere else ()
        rows.append(before + _cells(one))
        # Further starts stand below the first one.
        blank = ("",) * len(before)
        rows += [(*blank, "", "", "", "", "", text, "", "", "") for text in one.next[1:]]
    show_table(head, rows)


def _cells(one: "ScheduleRow") -> tuple[str, ...]:
    from waypost.cli.report import format

    nothing = "suspended" if one.suspended else "-"
    return (
        one.name,
        ", ".join(one.schedules),
        one.time_zone,
        one.policy,
        one.template,
        one.next[0] if one.next else nothing,
        one.last_scheduled_at or "-",
        str(one.missed),
        format.tame(one.problem or "-", limit=80),
    )
