"""What one seed of egress stands for: runs that share policies, and what goes wrong. Data."""

import random
from dataclasses import dataclass
from typing import Final, Literal

from waypost.ports.cluster import Obj

from tests.simulation.focused.troubles import Trouble, draw_trouble
from tests.support.builders import python

TROUBLES: Final = ("kill", "freeze", "freeze_acting", "lost", "refused", "delete_policy")
MODES: Final = ("None", "None", "Gateway", "Inherit")
SWEEP: Final = 600.0  # seconds between two sweeps


@dataclass(frozen=True)
class Run:
    """A run, when it is created, and when a person deletes it after its end."""

    name: str
    at: float
    modes: tuple[str, ...]  # of its nodes, one after the other
    seconds: float
    stays: float


@dataclass(frozen=True)
class Plan:
    """All that follows from a seed."""

    seed: int
    runs: tuple[Run, ...]
    troubles: tuple[Trouble, ...] = ()
    delivery: Literal["immediate", "rough"] = "immediate"


def plan(seed: int) -> Plan:
    """The plan of a seed. Later runs begin near a sweep, when policies of others are unused."""
    draw = random.Random(seed)
    runs = []
    for number in range(draw.randint(2, 5)):
        near = draw.choice((0, 0, 2, 3, 4)) * SWEEP
        modes = tuple(draw.choice(MODES) for _ in range(draw.choice((1, 1, 2))))
        at = max(0.0, near + draw.uniform(-3, 6))
        seconds = draw.choice((0.5, 2.0, 700.0))
        runs.append(Run(f"r{number}", at, modes, seconds, stays=draw.choice((1.0, 30.0, 900.0))))
    troubles = tuple(
        draw_trouble(draw, TROUBLES, seconds=(0.5, 5.0, 14.0))
        if draw.random() < 0.7
        else Trouble(
            draw.choice(TROUBLES),
            at=max(0.2, draw.choice((2, 3, 4)) * SWEEP + draw.uniform(-3, 6)),
            seconds=draw.choice((0.5, 5.0, 14.0)),
            number=draw.randint(0, 9),
        )
        for _ in range(draw.choice((0, 1, 1, 2, 3)))
    )
    delivery: Literal["immediate", "rough"] = draw.choice(("immediate", "immediate", "rough"))
    return Plan(seed, tuple(runs), troubles, delivery)


def names(run: Run) -> list[str]:
    """The names of its nodes."""
    return [f"s{index}" for index in range(len(run.modes))]


def body(run: Run) -> Obj:
    """The spec of a run."""
    nodes = []
    for index, mode in enumerate(run.modes):
        fields: Obj = {"isolation": {"egress": mode}, "timeout": "30m", "queueTimeout": "20m"}
        if index:
            fields["after"] = [f"s{index - 1}"]
        nodes.append(python(f"s{index}", **fields))
    return {"nodes": nodes}
