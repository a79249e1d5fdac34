"""`waypost get`: the state of a run and of its nodes."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli.commands import options

if TYPE_CHECKING:
    from waypost.views.models import RunView

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Output(StrEnum):
    """Output formats."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


@app.command()
def get(
    run: options.Run,
    namespace: options.Namespace = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="Output format.")] = Output.TABLE,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Show the state of a run and of each node.

    Phases, attempts, durations, tokens, cost and reasons.
    """
    from waypost.cli.connection.cluster import Target
    from waypost.cli.report import render
    from waypost.cli.report.load_report import load_report

    found = load_report(Target(kubeconfig, context, namespace), run, with_traces=False)
    if output in (Output.JSON, Output.YAML):
        typer.echo(_document(found, output), nl=False)
        return
    out = render.console()
    render.show(out, render.headline(found))
    for line in render.details(found):
        render.show(out, line)
    if found.nodes:
        out.print()
        render.show(out, render.node_table(found, wide=output is Output.WIDE))


def _document(found: "RunView", output: Output) -> str:
    import json

    import yaml

    if output is Output.JSON:
        return json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n"
    return yaml.safe_dump(found.to_json(), sort_keys=False, allow_unicode=True)
