"""Which scenarios have nodes whose key does not exist for a while (S638). Drawn by itself and last,
so that it changes nothing of other scenarios."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.scenario.plan import Act, Node, Scenario

_SHARE: Final = 0.05
_KINDS: Final = ("agent", "http")


def with_missing_keys(made: Scenario) -> Scenario:
    """In every twentieth scenario with agents or http nodes, the first attempts of these find no
    key: up to seven, which is more than any limit of retries."""
    rng = random.Random(f"keys of {made.seed}")
    if rng.random() > _SHARE:
        return made
    return replace(made, nodes=tuple(_without_key(rng, node) for node in made.nodes))


def _without_key(rng: random.Random, node: Node) -> Node:
    if node.kind not in _KINDS or not node.acts:
        return node
    missing = (Act(name="keyless", seconds=1.0),) * rng.choice([1, 2, 7])
    return replace(node, acts=(*missing, *node.acts))
