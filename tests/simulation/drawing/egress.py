"""Which scenarios have pods whose egress is limited. Drawn by itself and last, so that it changes
nothing of other scenarios."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.scenario.plan import Scenario

_SHARE: Final = 0.06
_KINDS: Final = ("python", "container")


def with_egress(made: Scenario) -> Scenario:
    """In one of 16 scenarios without others and agents: up to three nodes have limited egress."""
    rng = random.Random(f"egress of {made.seed}")
    able = [node.name for node in made.nodes if node.kind in _KINDS]
    agents = any(node.kind == "agent" for node in made.nodes)
    if rng.random() > _SHARE or not able or agents or made.is_strange:
        return made
    chosen = rng.sample(able, min(len(able), rng.choice([1, 2, 3])))
    drawn = {name: rng.choice(["None", "Gateway"]) for name in chosen}
    nodes = (replace(node, egress=drawn.get(node.name, "")) for node in made.nodes)
    return replace(made, nodes=tuple(nodes))
