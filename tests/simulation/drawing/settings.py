"""Settings of nodes that few workflows have. Drawn by itself, so that it changes nothing of the
rest."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.scenario.plan import Act, ExitCodes, Node, Scenario

_CODES: Final = (1, 75, 78)
_RULES: Final[tuple[ExitCodes, ...]] = (("retry", 75), ("fail", 78), ("fail", 137))


def with_settings(made: Scenario) -> Scenario:
    """Exit codes for half of the containers that fail and may be retried, and every third wait as
    an expression."""
    rng = random.Random(f"settings of {made.seed}")
    return replace(made, nodes=tuple(_with_settings(rng, node) for node in made.nodes))


def _with_settings(rng: random.Random, node: Node) -> Node:
    if node.kind == "wait":
        return replace(node, computed=rng.random() < 0.33)
    fails = any(act.name in ("fails", "dies") for act in node.acts)
    if node.kind != "container" or not node.limit or not fails or rng.random() < 0.5:
        return node
    acts = tuple(_with_code(rng, act) for act in node.acts)
    return replace(node, acts=acts, codes=rng.choice(_RULES))


def _with_code(rng: random.Random, act: Act) -> Act:
    return replace(act, code=rng.choice(_CODES)) if act.name == "fails" else act
