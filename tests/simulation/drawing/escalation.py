"""Gates that ask other people when nobody answers in time."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.scenario.plan import Answer, Level, Node, Scenario

_SHARE: Final = 0.3


def with_escalation(made: Scenario) -> Scenario:
    """In a part of the scenarios without others whose gates expire, these have more levels."""
    rng = random.Random(f"escalation of {made.seed}")
    if rng.random() > _SHARE or made.is_strange:
        return made
    nodes = tuple(_escalated(rng, node) for node in made.nodes)
    return replace(made, nodes=nodes)


def _escalated(rng: random.Random, node: Node) -> Node:
    if node.kind != "approval" or node.patience is None:
        return node
    return replace(node, levels=tuple(_level(rng) for _ in range(rng.choice([1, 1, 2]))))


def _level(rng: random.Random) -> Level:
    patience = rng.choice([20.0, 40.0])
    after = rng.choice([0.2, 3.0, patience - 0.5, patience + 1.0])
    answers = (Answer(after, rng.choice(["Approved", "Denied"])),)
    return Level(patience, rng.choice([(), answers, answers]))
