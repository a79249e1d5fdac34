"""Which scenarios have artifacts, and who takes which. Drawn by itself and last, so that it changes
nothing of other scenarios."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.scenario.plan import NOTHING, Act, Node, Scenario

_SHARE: Final = 0.45


def with_folders(made: Scenario) -> Scenario:
    """In every sixth scenario, of those without rounds, pauses, others and a template: one to three
    python nodes make an artifact, and python nodes after them take some of these."""
    rng = random.Random(f"artifacts of {made.seed}")
    able = [node.name for node in made.nodes if _can_carry(node)]
    taken = made.needs_people or made.is_strange or made.template is not None
    if rng.random() > _SHARE or taken or not able:
        return made
    fit = [name for name in able if made.by_name[name].fallback == NOTHING]
    makers = rng.sample(fit, min(len(fit), rng.choice([1, 2, 2, 3])))
    if not makers:
        return made
    nodes: list[Node] = []
    for node in made.nodes:
        soft = set(node.upstream) - set(node.hard)  # which a second reference would not make hard
        before = [one.name for one in nodes if one.makes and one.name not in soft]
        takes: list[str] = []
        if before and node.name in able and rng.random() < 0.6:
            takes = rng.sample(before, min(len(before), rng.choice([1, 1, 2])))
        nodes.append(replace(node, makes=node.name in makers, takes=tuple(takes)))
    if not any(node.takes for node in nodes):
        nodes.insert(_end_of_main(nodes), _taker(rng, makers))
    return replace(made, nodes=tuple(nodes))


def _can_carry(node: Node) -> bool:
    modified = node.is_map or node.loop is not None or node.candidate or node.last
    return node.kind == "python" and not (modified or node.egress)


def _end_of_main(nodes: list[Node]) -> int:
    return next((at for at, node in enumerate(nodes) if node.last), len(nodes))


def _taker(rng: random.Random, makers: list[str]) -> Node:
    gives = Act("gives", rng.randrange(1000), seconds=rng.choice([0.1, 1.0, 4.0]))
    return Node(name="reader", kind="python", takes=tuple(makers), acts=(gives,))
