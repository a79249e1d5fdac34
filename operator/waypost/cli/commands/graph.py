"""`waypost graph`: the graph of a run with the phase of each node."""

from typing import Annotated

import typer

from waypost.cli import options

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def graph(
    run: options.Run,
    namespace: options.Namespace = None,
    output: Annotated[
        str, options.output_of("mermaid, dot, json, yaml or jsonpath=TEMPLATE.")
    ] = "mermaid",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Print the graph of a run with the phase of each node.

    Dashed edges wait for the end of a node, others need its success.
    """
    from waypost.cli.connection.cluster import Target
    from waypost.cli.report.load_graph import load_graph
    from waypost.cli.report.output import emit, form_of
    from waypost.views.graph import dot, mermaid

    form = form_of(output, own=("mermaid", "dot"), named=False)
    found = load_graph(Target(kubeconfig, context, namespace), run)
    if form.for_programs:
        emit(form, found.to_json())
        return
    if found.note:
        typer.echo(found.note, err=True)
    typer.echo((mermaid if form.kind == "mermaid" else dot)(found), nl=False)
