"""Prints how two attempts differ."""

import typer

from waypost.cli.report import format
from waypost.cli.report.tables import show_table
from waypost.views.difference import as_lines
from waypost.views.documents import AttemptsDifference, Change
from waypost.views.models import AttemptView


def print_attempts(shown: AttemptsDifference) -> None:
    """Print the attempts, and the differences of their inputs and outputs."""
    columns = ("ATTEMPT", "ROUND", "RESULT", "TIME", "USED", "MESSAGE")
    show_table(columns, [_cells(one) for one in shown.attempts])
    _part("inputs", shown.inputs, shown.inputs_note)
    _part("output", shown.output, shown.output_note)
    if shown.more:
        typer.echo(f"  and {shown.more:,} more")


def _cells(attempt: AttemptView) -> tuple[str, ...]:
    iteration = "" if attempt.iteration is None else f" (iteration {attempt.iteration})"
    return (
        f"{attempt.number}{iteration}",
        str(attempt.round),
        attempt.reason or "-",
        format.duration(attempt.seconds),
        format.usage(attempt.usage) or "-",
        attempt.message or "",
    )


def _part(title: str, listed: list[Change], note: str | None) -> None:
    if note is not None:
        typer.echo(f"{title}: not compared: {format.tame(note, limit=500)}")
        return
    typer.echo(f"{title}:{'' if listed else ' no difference'}")
    for line in as_lines(listed):
        typer.echo(f"  {format.tame(line, limit=500)}")
