"""The one error a user meets: what was tried, what was found, what to do about it."""

from __future__ import annotations

from pathlib import Path

TAIL_LINES = 25


class ClusterError(Exception):
    """A failure described in three parts; the command line prints it and exits with 1."""

    def __init__(self, tried: str, *, found: str, do: str) -> None:
        super().__init__(tried)
        self.tried = tried
        self.found = found
        self.do = do

    def __str__(self) -> str:
        found = self.found.strip().replace("\n", "\n         ")
        return f"could not {self.tried}\n  found: {found}\n  do:    {self.do}"


def tail(path: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log, or say that there is none."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return f"(no log at {path})"
    kept = text.rstrip().splitlines()[-lines:]
    return "\n".join(kept) if kept else f"(the log {path} is empty)"
