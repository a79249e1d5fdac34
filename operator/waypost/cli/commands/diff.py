"""`waypost diff`: how two runs differ."""

from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.views.documents import NodePair, RunDifference

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def diff(
    run: options.Run,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Name of the other run.")],
    namespace: options.Namespace = None,
    every: Annotated[
        bool, typer.Option("--all", help="List nodes that do not differ, too.")
    ] = False,
    output: options.Document = "text",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Show how two runs differ.

    Definition, inputs, outputs, and what became of each node.
    """
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.reading.compared import compared
    from waypost.cli.report.output import emit, form_of

    form = form_of(output, named=False)

    async def work(session: "Session") -> "RunDifference":
        return await compared(session, run, other)

    shown = with_cluster(Target(kubeconfig, context, namespace), work)
    if form.for_programs:
        emit(form, shown.to_json())
        return
    _print(shown, every=every)


def _print(shown: "RunDifference", *, every: bool) -> None:
    from waypost.cli.report import format
    from waypost.cli.report.tables import show_table
    from waypost.views.difference import as_lines

    first, second = shown.runs
    typer.echo(f"{first.name} ({first.phase})  {second.name} ({second.phase})")
    parts = {"definition": shown.spec, "inputs": shown.inputs, "outputs": shown.outputs}
    for title, listed in parts.items():
        typer.echo(f"{title}: {'no difference' if not listed else ''}".rstrip())
        for line in as_lines(listed):
            typer.echo(f"  {format.tame(line, limit=500)}")
    if shown.more:
        typer.echo(f"  and {shown.more:,} more")
    pairs = [pair for pair in shown.nodes if every or pair.differs]
    if not pairs:
        typer.echo("nodes: no difference")
        return
    typer.echo("nodes:")
    columns = ("NODE", "PHASE", "ATTEMPTS", "TIME", "COST", "OUTPUT")
    show_table(columns, [_cells(pair) for pair in pairs])


def _cells(pair: "NodePair") -> tuple[str, ...]:
    from waypost.cli.report import format

    return (
        pair.path,
        _both(pair.phases),
        _both([str(number) if number is not None else None for number in pair.attempts]),
        _both([format.duration(seconds) for seconds in pair.seconds]),
        _both([format.cost(cost) or None for cost in pair.costs]),
        pair.output,
    )


def _both(values: list[str | None]) -> str:
    first, second = (value or "-" for value in values)
    return first if first == second else f"{first} -> {second}"
