"""Which scenarios have a queue that holds Jobs while the operator cannot stop them. Drawn by itself
and last, so that it changes nothing of other scenarios."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.play.withheld import ANSWERS
from tests.simulation.scenario.plan import Scenario, Trouble

_SHARE: Final = 0.5
_LONG: Final = 90.0  # seconds; the queue holds Jobs until after their queueTimeout
_HASTY: Final = 60.0


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
