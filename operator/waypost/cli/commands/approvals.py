"""`waypost approvals`: the questions that wait for an answer."""

from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.views.documents import ApprovalRow

app = typer.Typer(add_completion=False, rich_markup_mode=None)

COLUMNS = (
    "NAME",
    "RUN",
    "NODE",
    "STATE",
    "ASKED",
    "LEVEL",
    "VOTES",
    "BY",
    "AGE",
    "UNTIL",
    "MESSAGE",
)


@app.command()
def approvals(
    namespace: options.Namespace = None,
    everywhere: options.Everywhere = False,
    every: Annotated[
        bool, typer.Option("--all", help="Also those that have been answered.")
    ] = False,
    output: options.Output = "text",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """List the questions that wait for an answer, oldest first."""
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.connection.pages import read_list
    from waypost.cli.report.output import RESOURCES, emit, form_of
    from waypost.cli.report.tables import show_table
    from waypost.ports.cluster import Kind
    from waypost.views.approvals import approval_row

    form = form_of(output)

    async def work(session: "Session") -> "list[ApprovalRow]":
        found, _ = await read_list(session, Kind.APPROVAL, approval_row, everywhere=everywhere)
        kept = [one for one in found if every or one.state == "Open"]
        return sorted(kept, key=lambda one: one.created_at or "")

    found = with_cluster(Target(kubeconfig, context, namespace), work)
    if form.for_programs:
        names = (f"{RESOURCES['approval']}/{one.name}" for one in found)
        emit(form, {"items": [one.to_json() for one in found]}, names=names)
        return
    if not found:
        typer.echo("no approvals" if every else "no open approvals", err=True)
    head = (("NAMESPACE",) if everywhere else ()) + COLUMNS
    show_table(head, [((one.namespace,) if everywhere else ()) + _cells(one) for one in found])


def _cells(one: "ApprovalRow") -> tuple[str, ...]:
    from datetime import UTC, datetime

    from waypost.cli.report import format

    return (
        one.name,
        one.run,
        one.path,
        one.state,
        ", ".join(one.approvers),
        str(one.level or "-"),
        one.votes or "-",
        _who(one),
        format.age(one.created_at, now=datetime.now(UTC)),
        one.expires_at or "-",
        format.tame(one.message, limit=60),
    )


def _who(one: "ApprovalRow") -> str:
    """Who answered, and whether the API server has checked the name."""
    if not one.decided_by:
        return "-"
    checked = {True: " (verified)", False: " (declared)", None: ""}[one.identity_verified]
    return f"{one.decided_by}{checked}"
