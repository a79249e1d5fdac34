"""`waypost get`: the state of a run and of its nodes, and why it does not move."""

from typing import Annotated

import typer

from waypost.cli import options

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def get(
    run: options.Run,
    namespace: options.Namespace = None,
    output: Annotated[
        str, options.output_of("table, wide, json, yaml, name or jsonpath=TEMPLATE.")
    ] = "table",
    archived: options.Archived = False,
    archive: options.Archive = "",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Show the state of a run and of its nodes.

    Phases, attempts, durations, tokens, cost and reasons, and why the run does not move.
    """
    from waypost.cli.archive.client import Where
    from waypost.cli.connection.cluster import Target
    from waypost.cli.report import render
    from waypost.cli.report.load_report import load_report
    from waypost.cli.report.output import RESOURCES, emit, form_of

    form = form_of(output, own=("table", "wide"))
    found = load_report(
        Target(kubeconfig, context, namespace), run, Where(archive, archived), with_traces=False
    )
    if form.for_programs:
        emit(form, found.to_json(), names=[f"{RESOURCES['run']}/{found.name}"])
        return
    out = render.console()
    render.show(out, render.headline(found))
    for line in render.details(found):
        render.show(out, line)
    if found.nodes:
        out.print()
        render.show(out, render.node_table(found, wide=form.kind == "wide"))
