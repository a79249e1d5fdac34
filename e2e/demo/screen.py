"""Text on a terminal, where a table is redrawn in place, or in a log, where lines are added."""

from __future__ import annotations

import os
import select
import shutil
import sys
import time
from collections.abc import Callable, Sequence

from e2e.demo.table import Row, changes, render

BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


class Screen:
    """Everything the demo says goes through here."""

    def __init__(self) -> None:
        self.live = sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
        self._colour = self.live and not os.environ.get("NO_COLOR")
        self._start = time.monotonic()
        self._titles: list[tuple[str, float]] = []
        self._drawn = 0
        self._shown: Sequence[Row] = ()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._start

    def took(self) -> list[tuple[str, float]]:
        """The steps that have ended, with their seconds."""
        ends = [began for _, began in self._titles[1:]]
        begun = self._titles[:-1]
        return [(text, end - began) for (text, began), end in zip(begun, ends, strict=True)]

    def title(self, text: str) -> None:
        """The start of a step."""
        self._titles.append((text, self.elapsed))
        self.say("")
        self.say(f"[{self.elapsed:5.1f}s] {text}", style=BOLD)

    def say(self, text: str, *, style: str = "") -> None:
        """Lines that stay; a table above them stays too."""
        self._drawn = 0
        styled = f"{style}{text}{PLAIN}" if style and self._colour else text
        print(styled, flush=True)

    def command(self, text: str) -> None:
        """A command as one would type it."""
        self.say(f"  $ {text}", style=DIM)

    def table(self, lines: Sequence[Row]) -> None:
        """The table as it is now: in place of the last one, or what has changed since."""
        if lines == self._shown:
            return
        if self.live:
            self._redraw([f"  {line}" for line in render(lines, width=_width() - 3)])
        else:
            for line in changes(self._shown, lines):
                print(f"  [{self.elapsed:5.1f}s] {line}", flush=True)
        self._shown = lines

    def whole_table(self, lines: Sequence[Row]) -> None:
        """All of it, to stay."""
        self._drawn, self._shown = 0, ()
        for line in render(lines, width=max(_width() - 3, 80)):
            self.say(f"  {line}")

    def _redraw(self, lines: Sequence[str]) -> None:
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        sys.stdout.write(up + "".join(f"\x1b[2K{line}\n" for line in lines))
        sys.stdout.flush()
        self._drawn = len(lines)

    def ask(self, question: str, *, give_up: Callable[[], bool]) -> str | None:
        """A line from the terminal, "" at its end; None when `give_up` says so first."""
        print(question, end="", flush=True)
        while not select.select([sys.stdin], [], [], 1.0)[0]:
            if give_up():
                print(flush=True)
                return None
        return sys.stdin.readline()


def _width() -> int:
    return shutil.get_terminal_size(fallback=(100, 24)).columns
