"""`waypost trace`: what happened in a run, down to each model and tool call."""

from enum import StrEnum
from typing import Annotated

import typer

from waypost.cli.commands import options

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Output(StrEnum):
    """Output formats."""

    TEXT = "text"
    JSON = "json"


@app.command()
def trace(
    run: options.Run,
    namespace: options.Namespace = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="Output format.")] = Output.TEXT,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Show what happened in a run, call by call.

    Attempts, model calls, tool calls, re-asks and waits.
    """
    import json

    from waypost.cli.connection.cluster import Target
    from waypost.cli.report import render
    from waypost.cli.report.load_report import load_report

    found = load_report(Target(kubeconfig, context, namespace), run, with_traces=True)
    if output is Output.JSON:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
        return
    out = render.console()
    render.show(out, render.tree(found))
    for line in render.details(found):
        render.show(out, line)
