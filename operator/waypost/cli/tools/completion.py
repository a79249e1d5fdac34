"""`waypost completion`: the script with which a shell completes commands and names."""

from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Shell(StrEnum):
    """Shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command()
def completion(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="Your shell.")],
) -> None:
    """Print the completion script of a shell.

    It completes commands, options, and the names of runs, Approvals and MemoryEntries.

    For bash: source <(waypost completion bash)
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    typer.echo(
        get_completion_script(
            prog_name="waypost", complete_var="_WAYPOST_COMPLETE", shell=shell.value
        )
    )
