"""`waypost run`: start a run from a manifest or a template, and watch it."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_OPERATOR_SETTING = "WAYPOST_RUNNER_IMAGE"  # required, so it is in every Deployment of the operator


@app.command()
def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|TEMPLATE",
            help="Manifest with one AgentWorkflow (- for standard input), or the name of an "
            "AgentWorkflowTemplate.",
        ),
    ] = "",
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="KEY=VALUE",
            help="Input of the run: JSON, else text; @FILE reads it from a file. Can be repeated.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the run. Default: that of the manifest.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Show the run until it has ended.")
    ] = False,
    timeout: Annotated[
        str, typer.Option("--timeout", help="With --wait: give up after this time, such as 30m.")
    ] = "",
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FORMAT", help="text, name or json.")
    ] = "text",
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Start a run of a manifest or of a template.

    With --wait the exit code says how it ended: 0 Succeeded, 1 any other end, 5 not within
    --timeout. The run continues when the command is interrupted.
    """
    if not source:
        _old_entry()
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.connection.starting import create, manifest_of
    from waypost.cli.report.following import follow, seconds_of
    from waypost.cli.report.output import RESOURCES, emit, form_of

    form = form_of(output, own=("text",))
    limit = seconds_of(timeout)
    if limit is not None and not wait:
        raise CommandError("--timeout is only used with --wait", code=Exit.USAGE)
    manifest = manifest_of(source, given or [], name=name)

    async def work(session: "Session") -> bool:
        made = await create(session, manifest)
        made_name = str(made["metadata"]["name"])
        if form.for_programs:
            emit(form, made, names=[f"{RESOURCES['run']}/{made_name}"])
        else:
            typer.echo(f"{made_name} is created in namespace {session.namespace}", err=wait)
        return await follow(session, made_name, seconds=limit) if wait else True

    if not with_cluster(Target(kubeconfig, context, namespace), work):
        raise typer.Exit(Exit.FAILED)


def _old_entry() -> None:
    """Without arguments `waypost run` was the operator: it still is, in its Deployment, for one
    release."""
    if os.environ.get(_OPERATOR_SETTING):
        print(
            "waypost: `run` without a file is deprecated: use `waypost operator`", file=sys.stderr
        )
        from waypost.cli.connection.operator import start

        start()
    text = (
        "expected a FILE or the name of a TEMPLATE; the operator is started by `waypost operator`"
    )
    raise CommandError(text, code=Exit.USAGE)
