"""Which scenarios have programs that the kubelet starts again (S524). Drawn by itself and last, so
that it changes nothing of other scenarios."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.scenario.plan import Act, Node, Scenario, Trouble

_SHARE: Final = 0.03


def with_repeated(made: Scenario) -> Scenario:
    """In some scenarios without rounds, pauses, others, deadlines, a budget and a template: one or
    two programs are started again by their kubelet. A webhook has set restartPolicy OnFailure in
    their pods, or their container is gone from its machine. In every third the operator is killed,
    and in every third frozen meanwhile."""
    rng = random.Random(f"repeated programs of {made.seed}")
    taken = made.needs_people or made.is_strange or made.template is not None or made.is_hurried
    able = [node.name for node in made.nodes if _is_plain(node)]
    if rng.random() > _SHARE or taken or made.tokens is not None or not able:
        return made
    chosen = rng.sample(able, min(len(able), rng.choice([1, 2])))
    nodes = tuple(_again(rng, node) if node.name in chosen else node for node in made.nodes)
    number, choice = rng.randint(2, 10), rng.choice(["before", "after"])
    troubles: tuple[Trouble, ...] = rng.choice(
        [
            (),
            (Trouble("kill", seconds=rng.choice([2.0, 8.0, 20.0]), number=number, choice=choice),),
            (Trouble("freeze_fence", seconds=rng.choice([5.0, 15.0]), number=number),),
        ]
    )
    return replace(made, nodes=nodes, troubles=troubles)


def _is_plain(node: Node) -> bool:
    return bool(node.acts) and not (node.is_map or node.loop or node.places or node.candidate)


def _again(rng: random.Random, node: Node) -> Node:
    name = rng.choice(["repeats", "vanishes"])
    act = Act(name, n=rng.randrange(4), seconds=rng.choice([0.8, 2.0, 5.0]), code=3)
    return replace(node, acts=(act, *node.acts), codes=None, once=rng.random() < 0.5)
