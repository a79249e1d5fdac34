"""Which scenarios have requests of the operator that the API server refuses or does not answer.
Drawn by itself and last, so that it changes nothing of other scenarios."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.drawing.others import larger
from tests.simulation.play.withheld import CHOICES
from tests.simulation.scenario.plan import Scenario, Trouble

_SHARE: Final = 0.06


def with_withheld(made: Scenario) -> Scenario:
    """In every sixteenth scenario without rounds, pauses, others, and a template: reads, stops,
    creates or everything is refused for a while. Most of them have no other trouble."""
    graphs = any(node.is_map or node.kind == "first" for node in made.nodes)
    about = "withheld graphs" if graphs else "withheld"
    rng = random.Random(f"{about} of {made.seed}")
    taken = made.needs_people or made.is_strange or made.template is not None
    if rng.random() > _SHARE or taken:
        return made
    others = made.troubles if rng.random() < 0.25 else ()
    trouble = Trouble(
        "withhold",
        at=rng.choice([1.0, 1.0, 3.0, 10.0]),
        seconds=rng.choice([20.0, 100.0, 100.0, 150.0]),
        number=rng.choice([1, 1, 2]),
        choice=rng.choice(CHOICES),
    )
    nodes = tuple(larger(rng, node) for node in made.nodes)
    return replace(made, nodes=nodes, troubles=(*others, trouble))
