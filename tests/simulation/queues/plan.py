"""What one seed of queues stands for: runs with priorities, a quota, and what goes wrong. Data."""

import random
from dataclasses import dataclass
from typing import Final, Literal

from waypost.ports.cluster import Obj

from tests.simulation.focused.troubles import Trouble, draw_trouble
from tests.support.builders import python

OPERATORS: Final = ("kill", "freeze", "freeze_acting", "lost")
QUEUES: Final = ("preempt", "close", "forget", "unread")
TROUBLES: Final = (*OPERATORS, *QUEUES, "cancel", "suspend", "delete_pod")
PRIORITIES: Final = {"high": 10, "middle": 5}


@dataclass(frozen=True)
class Run:
    """A run of nodes in a row, or of a map, of one priority."""

    name: str
    at: float
    nodes: int
    items: int  # of each node; 0: no map
    seconds: float  # of each program
    priority: Literal["", "middle", "high"] = ""
    queued: bool = True
    once: bool = False
    stop_seconds: float = 0.2


@dataclass(frozen=True)
class Plan:
    """All that follows from a seed."""

    seed: int
    runs: tuple[Run, ...]
    quota: int
    troubles: tuple[Trouble, ...] = ()
    delivery: Literal["immediate", "rough"] = "immediate"

    @property
    def kinds(self) -> set[str]:
        """The kinds of its troubles."""
        return {trouble.kind for trouble in self.troubles}


def plan(seed: int) -> Plan:
    """The plan of a seed."""
    draw = random.Random(seed)
    runs = tuple(_run(draw, number) for number in range(draw.randint(2, 5)))
    number = draw.choice((0, 1, 1, 2, 3))
    kinds = [(TROUBLES[seed % len(TROUBLES)],), TROUBLES, TROUBLES][:number]
    troubles = tuple(
        draw_trouble(draw, kind, latest=60.0, seconds=(0.5, 5.0, 14.0, 60.0)) for kind in kinds
    )
    delivery: Literal["immediate", "rough"] = draw.choice(("immediate", "immediate", "rough"))
    return Plan(seed, runs, draw.choice((1, 1, 2, 3)), troubles, delivery)


def _run(draw: random.Random, number: int) -> Run:
    return Run(
        f"r{number}",
        at=draw.choice((0.0, draw.uniform(0, 5), draw.uniform(0, 90))),
        nodes=draw.choice((1, 1, 2)),
        items=draw.choice((0, 0, 0, 3)),
        seconds=draw.choice((1.0, 20.0, 90.0)),
        priority=draw.choice(("", "", "middle", "high")),
        queued=draw.random() < 0.85,
        once=draw.random() < 0.15,
        stop_seconds=draw.choice((0.2, 5.0, 20.0)),
    )


def names(run: Run) -> list[str]:
    """The names of its nodes."""
    return [f"{run.name}s{index}" for index in range(run.nodes)]


def body(run: Run) -> Obj:
    """The spec of a run. Its queueTimeout is shorter than most waits in the queue."""
    isolation: Obj = {"queue": "team"} if run.queued else {}
    if run.priority:
        isolation["priorityClassName"] = run.priority
    nodes = []
    for index, name in enumerate(names(run)):
        fields: Obj = {"isolation": isolation, "queueTimeout": "30s", "onFailure": "Continue"}
        if run.once:
            fields["effect"] = "once"
        if index:
            fields["after"] = [names(run)[index - 1]]
        if run.items:
            fields |= {"forEach": {"items": "${inputs.list}"}, "inputs": {"n": "${item}"}}
        nodes.append(python(name, **fields))
    return {"inputs": {"list": list(range(run.items))}, "nodes": nodes}
