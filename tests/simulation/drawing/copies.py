"""Which scenarios have pods that somebody copies. Drawn by itself and last, so that it changes
nothing of other scenarios."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.play.copies import CHOICES
from tests.simulation.scenario.plan import Scenario, Trouble

_SHARE: Final = 0.05


def with_copies(made: Scenario) -> Scenario:
    """In every twentieth scenario without a pause: one or two pods are copied. Half of them have no
    other trouble."""
    rng = random.Random(f"copies of {made.seed}")
    pods = any(node.has_pod for node in made.nodes)
    if rng.random() > _SHARE or not pods or any(node.pauses for node in made.nodes):
        return made
    others = () if rng.random() < 0.5 else made.troubles
    copies = (
        Trouble(
            "copy",
            at=rng.choice([0.0, 0.0, 0.5, 2.0, 8.0]),
            number=rng.choice([1, 1, 2, 3, 5]),
            choice=rng.choice(CHOICES),
        )
        for _ in range(rng.choice([1, 1, 2]))
    )
    return replace(made, troubles=(*others, *copies))
