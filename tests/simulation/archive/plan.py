"""What one seed of the archive stands for: runs that end, what deletes them, what goes wrong."""

import random
from dataclasses import dataclass
from typing import Any, Final, Literal

from waypost.api.base import JsonObject

from tests.simulation.focused.troubles import Trouble, draw_trouble
from tests.support.builders import python, spec
from tests.support.children import calls

TROUBLES: Final = (
    "kill",
    "freeze",
    "freeze_acting",
    "lost",
    "second",
    "cancel",
    "rerun",
    "rerun",
    "delete_run",
    "archive_killed",
    "archive_frozen",
    "archive_overtaken",
    "archive_second",
    "archive_lost",
    "archive_refused",
    "database_down",
)
SECONDS: Final = 240.0  # how long runs begin, and troubles
TEMPLATE: Final = "double"


@dataclass(frozen=True)
class Run:
    """A run, and when it is created. `ttl`: after its end; None: nothing deletes it."""

    name: str
    at: float
    seconds: float  # of its program
    fails: bool
    ttl: int | None
    calls: bool  # its node runs a template as a child run
    pinned: bool  # it is a run of a template itself


@dataclass(frozen=True)
class Plan:
    """All that follows from a seed. `kept`: the history limits of a schedule; None: no schedule."""

    seed: int
    runs: tuple[Run, ...]
    kept: int | None
    troubles: tuple[Trouble, ...] = ()
    delivery: Literal["immediate", "rough", "stale"] = "immediate"

    @property
    def kinds(self) -> set[str]:
        """The kinds of its troubles."""
        return {trouble.kind for trouble in self.troubles}


def body(run: Run) -> JsonObject:
    """The spec of a run."""
    made: JsonObject = {"templateRef": {"name": TEMPLATE}}
    if not run.pinned:
        made = spec(calls("a", TEMPLATE) if run.calls else python("work", retry={"limit": 0}))
    if run.ttl is not None:
        made["ttlSecondsAfterFinished"] = run.ttl
    return made


def template() -> JsonObject:
    """What child runs and the schedule run."""
    return spec(python("work", retry={"limit": 0}))


def plan(seed: int) -> Plan:
    """The plan of a seed."""
    draw = random.Random(f"archive {seed}")
    runs = tuple(_run(draw, number) for number in range(draw.choice((1, 2, 3, 5))))
    kept = draw.choice((None, None, 0, 1, 3))
    troubles = tuple(
        draw_trouble(draw, TROUBLES, latest=SECONDS * 0.8, seconds=(0.5, 5.0, 14.0, 60.0))
        for _ in range(draw.choice((0, 1, 2, 2, 3, 4)))
    )
    delivery: Any = draw.choice(("immediate", "immediate", "rough", "stale"))
    return Plan(seed, runs, kept, troubles, delivery)


def _run(draw: random.Random, number: int) -> Run:
    return Run(
        name=f"run-{number}",
        at=round(draw.uniform(0, SECONDS * 0.7), 2),
        seconds=draw.choice((0.1, 1.0, 4.0, 15.0)),
        fails=draw.random() < 0.25,
        ttl=draw.choice((None, 0, 0, 5, 30, 120)),
        calls=draw.random() < 0.3,
        pinned=draw.random() < 0.3,
    )
