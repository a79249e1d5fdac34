"""Options shared by several commands; they have the same meaning as in kubectl."""

from pathlib import Path
from typing import Annotated

import typer

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
Run = Annotated[str, typer.Argument(metavar="RUN", help="Name of the AgentWorkflow.")]
