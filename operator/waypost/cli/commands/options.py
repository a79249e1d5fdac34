"""Options that mean what they mean in kubectl."""

from pathlib import Path
from typing import Annotated

import typer

Kubeconfig = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Kubeconfig. Default: KUBECONFIG, ~/.kube/config."),
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig. Default: its own.")]
Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace. Default: that of the context.")
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="Name of the AgentWorkflow.")]
