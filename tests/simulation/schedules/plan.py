"""What one seed of schedules stands for: a schedule, its runs, and what goes wrong. Data."""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from tests.simulation.focused.troubles import Trouble, draw_trouble
from tests.support.schedules import at

TROUBLES: Final = (
    "kill",
    "freeze",
    "freeze_acting",
    "lost",
    "second",
    "clock_back",
    "clock_ahead",
    "suspend",
    "edit",
    "delete_run",
    "refused",
    "template",
)
# Troubles after which the times that were started or missed cannot be computed from the calendar.
_MOVES_TIMES: Final = frozenset({"clock_back", "clock_ahead", "suspend", "edit", "delete_run"})
SECONDS: Final = 900.0  # how long troubles last at most, and times are watched

# Where a play begins: shortly before clocks change, and on other days.
BEGINS: Final = (
    ("Etc/UTC", at("2026-03-01T09:00")),
    ("Europe/Berlin", at("2026-03-29T00:52")),
    ("Europe/Berlin", at("2026-10-25T00:51")),
    ("America/New_York", at("2026-11-01T05:50")),
    ("Australia/Lord_Howe", at("2026-04-04T14:50")),
    ("Australia/Lord_Howe", at("2026-10-03T15:22")),
    ("Africa/Cairo", at("2026-04-23T21:53")),
    ("Antarctica/Troll", at("2026-03-29T00:55")),
    ("Asia/Kathmandu", at("2028-02-29T18:10")),
)
LINES: Final = (
    ("* * * * *",),
    ("*/2 * * * *",),
    ("*/3 * * * *", "*/5 * * * *"),
    ("1-59/4 0-23 * * *",),
    ("* 0-3 * * *", "*/10 * * * *"),
)


@dataclass(frozen=True)
class Plan:
    """All that follows from a seed."""

    seed: int
    zone: str
    begin: datetime
    lines: tuple[str, ...]
    policy: Literal["Forbid", "Queue", "Allow", "Replace"]
    deadline: int  # startingDeadlineSeconds
    spread: int  # seconds; 0: none
    runs: tuple[float, ...]  # seconds of the program of each run, again and again
    fails: bool
    ttl: int | None
    kept: int  # both history limits
    troubles: tuple[Trouble, ...] = ()
    delivery: Literal["immediate", "rough"] = "immediate"

    @property
    def is_counted(self) -> bool:
        """Whether each time is started or missed: nobody moved clocks, times or runs."""
        return not any(trouble.kind in _MOVES_TIMES for trouble in self.troubles)

    @property
    def is_undisturbed(self) -> bool:
        """Whether the interpreter can tell which times start a run."""
        return not self.troubles and self.delivery == "immediate"


def plan(seed: int) -> Plan:
    """The plan of a seed."""
    draw = random.Random(f"schedules {seed}")
    zone, begin = draw.choice(BEGINS)
    policies: Any = ("Forbid", "Forbid", "Queue", "Allow", "Replace")
    troubles = tuple(
        draw_trouble(draw, TROUBLES, latest=SECONDS * 0.7, seconds=(0.5, 9.0, 14.0, 130.0, 400.0))
        for _ in range(draw.choice((0, 1, 1, 2, 2, 3)))
    )
    delivery: Any = draw.choice(("immediate", "immediate", "rough"))
    return Plan(
        seed,
        zone,
        begin,
        draw.choice(LINES),
        draw.choice(policies),
        draw.choice((10, 60, 60, 300, 3600)),
        draw.choice((0, 0, 0, 45, 150)),
        tuple(draw.choice((1.0, 5.0, 25.0, 70.0, 200.0)) for _ in range(4)),
        fails=draw.random() < 0.2,
        ttl=draw.choice((None, None, 0, 30)),
        kept=draw.choice((0, 1, 3, 10, 10)),
        troubles=troubles,
        delivery=delivery,
    )
