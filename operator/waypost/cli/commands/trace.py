"""`waypost trace`: what happened in a run, down to each model and tool call."""

from typing import Annotated

import typer

from waypost.cli import options

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def trace(
    run: options.Run,
    namespace: options.Namespace = None,
    output: Annotated[
        str, options.output_of("text, html, mermaid, dot, json, yaml or jsonpath=TEMPLATE.")
    ] = "text",
    values: Annotated[
        bool,
        typer.Option("--values", help="With -o html: the inputs and the output of each node too."),
    ] = False,
    archived: options.Archived = False,
    archive: options.Archive = "",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Show what happened in a run, call by call.

    Attempts, model calls, tool calls, re-asks and waits. html is a report in one file; mermaid and
    dot draw the graph with the phase of each node.
    """
    from waypost.cli.archive.client import Where
    from waypost.cli.connection.cluster import Target
    from waypost.cli.errors import CommandError, Exit
    from waypost.cli.report import render
    from waypost.cli.report.load_report import load_report
    from waypost.cli.report.output import emit, form_of

    form = form_of(output, own=("text", "html", "mermaid", "dot"), named=False)
    if values and form.kind != "html":
        raise CommandError("--values is only used with -o html", code=Exit.USAGE)
    target, where = Target(kubeconfig, context, namespace), Where(archive, archived)
    if form.kind in ("mermaid", "dot"):
        from waypost.cli.report.load_graph import load_graph
        from waypost.views.graph import dot, mermaid

        draw = mermaid if form.kind == "mermaid" else dot
        typer.echo(draw(load_graph(target, run, where)), nl=False)
        return
    if form.kind == "html":
        from waypost.cli.report.load_graph import load_page

        typer.echo(load_page(target, run, where, with_values=values), nl=False)
        return
    found = load_report(target, run, where, with_traces=True)
    if form.for_programs:
        emit(form, found.to_json())
        return
    out = render.console()
    render.show(out, render.tree(found))
    for line in render.details(found):
        render.show(out, line)
