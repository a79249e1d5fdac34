"""Nodes that are repeated. Drawn separately, so that the rest of a scenario does not change."""

import random
from dataclasses import replace

from tests.simulation.scenario.plan import Act, Loop, Node, Scenario


def with_loops(made: Scenario) -> Scenario:
    """In every eighth scenario one or two nodes with a pod are repeated."""
    rng = random.Random(f"loops of {made.seed}")
    able = [node.name for node in made.nodes if node.has_pod and not node.is_map]
    others = made.is_strange or made.template is not None or any(n.last for n in made.nodes)
    if rng.random() > 0.125 or not able or others:
        return made
    chosen = rng.sample(able, min(len(able), rng.choice([1, 1, 2])))
    nodes = (_repeated(rng, n) if n.name in chosen else n for n in made.nodes)
    made = replace(made, nodes=tuple(nodes))
    if not made.rounds or rng.random() < 0.5:
        return made
    # Rounds that name and change nothing continue each loop that failed.
    plain = (replace(r, again=(), edit="", given=(), skip=()) for r in made.rounds)
    return replace(made, rounds=tuple(plain))


def _repeated(rng: random.Random, node: Node) -> Node:
    loop = Loop(
        above=rng.choice([-1, 300, 500, 700, 2000]),
        max=rng.choice([1, 2, 3, 3, 5]),
        pause=float(rng.choice([0, 0, 1, 5, 30])),
        succeeds=rng.random() < 0.4,
    )
    more = tuple(_act(rng, node) for _ in range(rng.choice([1, 2, 4])))
    return replace(node, loop=loop, acts=(*node.acts, *more))


def _act(rng: random.Random, node: Node) -> Act:
    gives = Act("gives", rng.randrange(1000), seconds=rng.choice([0.1, 1, 4]))
    fails = Act("fails", seconds=rng.choice([0.1, 1]))
    return rng.choice((gives, gives, fails, *node.acts))
