"""Options shared by several commands; they have the same meaning as in kubectl."""

from pathlib import Path
from typing import Annotated, Any

import typer


def _runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of runs that begin like this, for the completion of a shell."""
    from waypost.cli.connection.completion import names

    return names("run", incomplete, ctx.params)


def _approvals(ctx: typer.Context, incomplete: str) -> list[str]:
    from waypost.cli.connection.completion import names

    return names("approval", incomplete, ctx.params)


def memory_entries(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of MemoryEntries that begin like this."""
    from waypost.cli.connection.completion import names

    return names("memory", incomplete, ctx.params)


Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Kubeconfig file. Default: $KUBECONFIG, then ~/.kube/config."
    ),
]
Context = Annotated[
    str | None, typer.Option(help="Context in the kubeconfig. Default: the current context.")
]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="Namespace. Default: the namespace of the context."),
]
Run = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Name of the AgentWorkflow.", autocompletion=_runs),
]
Approval = Annotated[
    str,
    typer.Argument(metavar="APPROVAL", help="Name of the Approval.", autocompletion=_approvals),
]
MemoryEntry = Annotated[
    str,
    typer.Argument(metavar="ENTRY", help="Name of the MemoryEntry.", autocompletion=memory_entries),
]
Scope = Annotated[
    str,
    typer.Option(
        help="Template, or label waypost.dev/workflow, of the runs; * for entries of the namespace."
    ),
]
Everywhere = Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")]
Selector = Annotated[str, typer.Option("--selector", "-l", help="Label selector, as in kubectl.")]
Archive = Annotated[
    str,
    typer.Option(
        metavar="URL", envvar="WAYPOST_ARCHIVE_URL", help="Base URL of the archive of runs."
    ),
]
Archived = Annotated[bool, typer.Option("--archived", help="Read from the archive alone.")]
SkippedNodes = Annotated[
    list[str] | None, typer.Option("--skip", metavar="NODE", help="Skip this node.")
]
GivenOutputs = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        metavar="NODE=JSON",
        help="Set the output of a node; @FILE reads it from a file.",
    ),
]
ChangedSpec = Annotated[
    Path | None,
    typer.Option("--filename", "-f", metavar="FILE", help="Manifest with a changed spec."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def output_of(forms: str) -> Any:
    """The option --output of a command that has these forms."""
    return typer.Option("--output", "-o", metavar="FORMAT", help=forms)


Output = Annotated[str, output_of("text, json, yaml, name or jsonpath=TEMPLATE.")]
Document = Annotated[str, output_of("text, json, yaml or jsonpath=TEMPLATE.")]
