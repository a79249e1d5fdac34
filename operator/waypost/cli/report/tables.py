"""Tables as kubectl prints them, and questions to the person at the terminal."""

import sys
from collections.abc import Iterable, Sequence

import typer
from rich.table import Table
from rich.text import Text

from waypost.cli.errors import CommandError, Exit
from waypost.cli.report import format, render

_PHASES = frozenset({"PHASE", "STATE", "RESULT", "ACTION"})


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, head: bool = True) -> None:
    """Print rows below their columns; nothing for no rows. Foreign text is made safe to print."""
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="none", show_header=head
    )
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for row in rows:
        cells = [Text(format.tame(cell, limit=1000)) for cell in row]
        for column, cell in zip(columns, cells, strict=True):
            if column in _PHASES:
                cell.stylize(render.style_of(cell.plain))
        table.add_row(*cells)
    if table.row_count:
        render.show(render.console(), table)


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless `yes` is given.

    Raises:
        CommandError: Nobody can be asked, because the input is no terminal.
        typer.Exit: The answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        text = f"{question} The input is not a terminal; use --yes to confirm"
        raise CommandError(text, code=Exit.USAGE)
    if not typer.confirm(question):
        typer.echo("nothing was changed")
        raise typer.Exit(Exit.FAILED)
