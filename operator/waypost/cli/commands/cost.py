"""`waypost cost`: what a run used, by node and by model."""

from typing import TYPE_CHECKING

import typer

from waypost.cli import options

if TYPE_CHECKING:
    from waypost.api.state.usage import Usage
    from waypost.cli.connection.cluster import Session
    from waypost.views.documents import RunCost

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def cost(
    run: options.Run,
    namespace: options.Namespace = None,
    output: options.Document = "text",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Show what a run used.

    By node and by model, and what is left of its budget.
    """
    from waypost.cli.connection.cluster import Target, find_run, with_cluster
    from waypost.cli.reading.describe import describe
    from waypost.cli.report.output import emit, form_of
    from waypost.views.cost import run_cost

    form = form_of(output, named=False)

    async def work(session: "Session") -> "RunCost":
        found = await find_run(session, run)
        return run_cost(await describe(session, found, with_traces=True))

    shown = with_cluster(Target(kubeconfig, context, namespace), work)
    if form.for_programs:
        emit(form, shown.to_json())
        return
    _print(shown)


def _print(shown: "RunCost") -> None:
    from waypost.cli.report import format
    from waypost.cli.report.tables import show_table

    typer.echo(f"{shown.name}  {shown.phase}  {format.usage(shown.usage) or 'no usage'}")
    if shown.budget and shown.left is not None:
        for key, limit in shown.budget.items():
            typer.echo(f"budget   {key}: {shown.left.get(key, '?')} of {limit} left")
    rows = [
        (
            node.path,
            node.kind,
            str(node.attempts or "-"),
            *_figures(node.usage),
            format.cost(node.retried.cost_usd) or "-" if node.retried else "-",
        )
        for node in shown.nodes
    ]
    if rows:
        typer.echo("")
    columns = ("NODE", "KIND", "ATTEMPTS", "CALLS", "TOKENS", "TOOLS", "COST", "OF IT RETRIED")
    show_table(columns, rows)
    models = [
        (
            used.model,
            used.provider or "-",
            f"{used.calls:,}",
            format.tokens(used.input_tokens, used.cached_tokens, used.output_tokens) or "-",
            format.cost(used.cost_usd, estimated=bool(used.estimated_calls)) or "-",
        )
        for used in shown.models
    ]
    if models:
        typer.echo("")
    show_table(("MODEL", "PROVIDER", "CALLS", "TOKENS", "COST"), models)
    if shown.unread:
        text = (
            f"the models of {format.count(shown.unread, 'attempt')} are missing: see waypost trace"
        )
        typer.echo(text, err=True)


def _figures(used: "Usage") -> tuple[str, ...]:
    from waypost.cli.report import format

    total = (used.input_tokens or 0) + (used.output_tokens or 0)
    return (
        f"{used.model_calls:,}" if used.model_calls else "-",
        f"{total:,}" if total else "-",
        f"{used.tool_calls:,}" if used.tool_calls else "-",
        format.cost(used.cost_usd, estimated=bool(used.estimated_model_calls)) or "-",
    )
