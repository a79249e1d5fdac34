"""Shows a run until it has ended: as a tree on a terminal, as a line per change elsewhere."""

import asyncio
import sys
from collections.abc import AsyncIterator
from time import monotonic
from typing import Final

import typer
from rich.live import Live

from waypost.api.base import parse_duration
from waypost.cli.connection.cluster import Session, find_run
from waypost.cli.errors import CommandError, Exit
from waypost.cli.reading.describe import describe
from waypost.cli.report import format, render
from waypost.ports.cluster import Unavailable
from waypost.views.models import RunView

_LOOK_AGAIN: Final = 1.0
_PATIENCE: Final = 30.0  # seconds without an answer of the API server


def seconds_of(duration: str) -> float | None:
    """The seconds of a duration such as 30m; None for "". Raises CommandError."""
    if not duration:
        return None
    try:
        if duration.endswith("d") and duration[:-1].isdecimal():
            return int(duration[:-1]) * 86400.0
        return parse_duration(duration)
    except ValueError as error:
        text = f"{duration!r} is no duration; expected one such as 90s, 30m, 12h or 7d"
        raise CommandError(text, code=Exit.USAGE) from error


async def follow(session: Session, name: str, *, seconds: float | None) -> bool:
    """Show a run until it has ended.

    Returns:
        Whether it has succeeded.

    Raises:
        CommandError: It has not ended within `seconds`, or cannot be read.
    """
    out = render.console()
    if not sys.stdout.isatty():
        return await _lines(session, name, seconds=seconds)
    with Live(console=out, refresh_per_second=4, vertical_overflow="visible") as live:
        async for run in _states(session, name, seconds=seconds):
            live.update(render.tree(run))
            last = run
    _finish(last)
    return last.phase == "Succeeded"


async def _lines(session: Session, name: str, *, seconds: float | None) -> bool:
    seen: dict[str, str] = {}
    async for run in _states(session, name, seconds=seconds):
        for node in run.nodes:
            now = f"{node.phase}: {node.reason}" if node.reason else node.phase
            if seen.get(node.path, "Pending") != now:
                typer.echo(f"{run.name}  {node.path}  {format.tame(now)}")
            seen[node.path] = now
        last = run
    _finish(last)
    return last.phase == "Succeeded"


def _finish(run: RunView) -> None:
    out = render.console()
    render.show(out, render.headline(run))
    for line in render.details(run):
        render.show(out, line)


async def _states(session: Session, name: str, *, seconds: float | None) -> AsyncIterator[RunView]:
    start = heard = monotonic()
    while True:
        try:
            run = await describe(session, await find_run(session, name))
        except Unavailable:
            if monotonic() - heard > _PATIENCE:
                raise
        else:
            heard = monotonic()
            yield run
            if run.finished_at is not None or run.phase == "Rejected":
                return
        if seconds is not None and monotonic() - start > seconds:
            text = f"{name} has not ended within {seconds:g} s; it continues"
            raise CommandError(text, code=Exit.TIMEOUT)
        await asyncio.sleep(_LOOK_AGAIN)
