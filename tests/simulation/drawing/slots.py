"""Which scenarios have nodes that share a key. Drawn by itself and last, so that it changes nothing
of other scenarios."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.scenario.plan import Scenario

_SHARE: Final = 0.06


def with_slots(made: Scenario) -> Scenario:
    """In one of 16 scenarios without others: up to three nodes with a pod share a key."""
    rng = random.Random(f"slots of {made.seed}")
    able = [node.name for node in made.nodes if node.has_pod]
    if rng.random() > _SHARE or not able or made.is_strange:
        return made
    chosen = rng.sample(able, min(len(able), rng.choice([1, 2, 3, 3])))
    places = rng.choice([1, 1, 1, 2])
    nodes = (replace(node, places=places) if node.name in chosen else node for node in made.nodes)
    return replace(made, nodes=tuple(nodes))
