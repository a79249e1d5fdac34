"""First nodes. Drawn separately, so that the rest of a scenario does not change."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.scenario.plan import NOTHING, Act, Node, Read, Scenario

_COUNTED: Final = ("python", "container", "agent")  # their output has n


def with_choices(made: Scenario) -> Scenario:
    """In every eighth scenario a first node chooses between two or three others."""
    rng = random.Random(f"choices of {made.seed}")
    dropped = {each.drop for each in made.rounds}
    able = [n for n in made.nodes if not (n.comes or n.pauses or n.name in dropped)]
    others = made.is_strange or made.template is not None
    others = others or any(node.last or node.is_map for node in made.nodes)
    if rng.random() > 0.125 or len(able) < 2 or others:
        return made
    count = min(len(able), rng.choice([2, 2, 3]))
    names = [node.name for node in rng.sample(able, count)]
    nodes = [_candidate(rng, n) if n.name in names else n for n in made.nodes]
    counted = all(n.kind in _COUNTED for n in nodes if n.name in names)
    rest = [node.name for node in able if node.name not in names]
    chooser = Node(
        name="best",
        kind="first",
        of=tuple(names),
        accepts=rng.choice(["large", "large", "any"] if counted else ["any", "any", "named"]),
        refuses=rng.choice(names),
        finishes=rng.random() < 0.25,
        tolerated=rng.random() < 0.5,
        after=tuple(rng.sample(rest, 1)) if rest and rng.random() < 0.4 else (),
    )
    if chooser.tolerated and rng.random() < 0.3:
        chooser = replace(chooser, fallback={"n": -2})
    reader = Node(
        name="user",
        kind="python",
        reads=(Read(rng.choice(["whole", "whole", "has", "phase"]), "best"),),
        acts=(Act("gives", rng.randrange(1000), seconds=rng.choice([0.1, 1, 4])),),
    )
    at = next((at for at, node in enumerate(nodes) if node.comes), len(nodes))
    nodes[at:at] = [chooser, reader]
    rounds = [
        replace(each, again=(*each.again, "best")) if rng.random() < 0.2 else each
        for each in made.rounds
    ]
    return replace(made, nodes=tuple(nodes), rounds=tuple(rounds))


def _candidate(rng: random.Random, node: Node) -> Node:
    """Mostly with the default of candidates, that a failure is tolerated."""
    strict = rng.random() < 0.2
    fallback = NOTHING if strict else node.fallback
    return replace(node, candidate=True, tolerated=not strict, fallback=fallback)
