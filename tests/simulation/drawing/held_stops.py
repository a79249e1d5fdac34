"""Which scenarios have Jobs that others suspend: a queue that holds new ones while the operator
cannot stop them, and a person or a queue that suspends one whose program runs. Drawn by itself and
last, so that it changes nothing of other scenarios."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.play.withheld import ANSWERS
from tests.simulation.scenario.plan import Scenario, Trouble

_SHARE: Final = 0.5
_LONG: Final = 90.0  # seconds; the queue holds Jobs until after their queueTimeout
_HASTY: Final = 60.0
_SUSPENDED: Final = 0.03


def with_held_stops(made: Scenario) -> Scenario:
    """In every second scenario with a queue that holds Jobs for long: their queueTimeout passes
    meanwhile, and the patches that stop them fail until some time before or after the queue lets
    them go."""
    queues = [t for t in made.troubles if t.kind == "queue" and t.seconds > _LONG]
    rng = random.Random(f"held stops of {made.seed}")
    if rng.random() > _SHARE or not queues:
        return made
    trouble = Trouble(
        "withhold",
        at=queues[0].at + _HASTY - 10,
        seconds=rng.choice([20.0, 60.0, 100.0]),
        number=1,
        choice=f"{rng.choice(sorted(ANSWERS))} suspend",
    )
    nodes = tuple(replace(n, queue_timeout=_HASTY) if n.has_pod else n for n in made.nodes)
    return replace(made, nodes=nodes, troubles=(*made.troubles, trouble))


def with_suspended_jobs(made: Scenario) -> Scenario:
    """In some scenarios without rounds, pauses, others, deadlines and a template: one to three Jobs
    are suspended while their programs run, and resumed once the operator has seen it. In every
    third the operator is killed meanwhile, and the Jobs are resumed later."""
    rng = random.Random(f"jobs held in {made.seed}")
    taken = made.needs_people or made.is_strange or made.template is not None or made.is_hurried
    able = any(n.has_pod for n in made.nodes)
    if rng.random() > _SUSPENDED or taken or not able:
        return made
    killed = rng.random() < 1 / 3
    suspended = [
        Trouble(
            "suspend_job",
            at=rng.choice([1.0, 1.5, 2.0, 4.0, 8.0]),
            seconds=rng.choice([60.0, 90.0] if killed else [20.0, 40.0, 90.0]),
            number=number,
        )
        for number in rng.sample(range(1, 6), rng.choice([1, 2, 3]))
    ]
    choice = rng.choice(["before", "after"])
    kill = Trouble("kill", seconds=8.0, number=rng.randint(3, 12), choice=choice)
    return replace(made, troubles=(*suspended, *([kill] if killed else [])))
