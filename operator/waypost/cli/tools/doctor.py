"""`waypost doctor`: whether the cluster has what runs need, and what the user may do."""

from typing import TYPE_CHECKING

import typer

from waypost.cli import options
from waypost.cli.errors import Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.cli.connection.findings import Finding

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def doctor(
    namespace: options.Namespace = None,
    output: options.Document = "text",
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Check the cluster, the operator and your rights.

    Exit code 1 if a check has failed.
    """
    from waypost import __version__
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.connection.findings import examine
    from waypost.cli.report.output import emit, form_of
    from waypost.cli.report.tables import show_table

    form = form_of(output, named=False)

    async def work(session: "Session") -> "list[Finding]":
        return await examine(session)

    found = with_cluster(Target(kubeconfig, context, namespace), work)
    if form.for_programs:
        checks = [{"check": one.check, "result": one.result, "text": one.text} for one in found]
        emit(form, {"version": __version__, "checks": checks})
    else:
        rows = [(one.result, one.check, one.text) for one in found]
        show_table(("RESULT", "CHECK", "FOUND"), rows)
    if any(one.result == "failed" for one in found):
        raise typer.Exit(Exit.FAILED)
