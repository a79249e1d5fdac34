"""Which scenarios others have a hand in, and how. Drawn by itself, so that it changes nothing of
the rest."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.play.strange import CHOICES
from tests.simulation.scenario.plan import STRANGE_ACTS, Act, Node, Scenario, Trouble

_SHARE: Final = 0.12
_KINDS: Final = ("refuse", "refuse", "refuse", "record_gone", "queue", "sidecars", "act", "act")


def with_others(made: Scenario) -> Scenario:
    """In every eighth scenario without rounds and pauses: quotas and policies, records that vanish,
    queues, sidecars, and pods that do not come to their program. Half of them have no other
    trouble: only then it can be said by when a run must have said what it waits for."""
    rng = random.Random(f"others of {made.seed}")
    if rng.random() > _SHARE or made.needs_people:
        return made
    others = () if rng.random() < 0.5 else made.troubles
    nodes, troubles = made.nodes, []
    for _ in range(rng.choice([1, 1, 2])):
        kind = rng.choice(_KINDS)
        if kind == "act":
            nodes = _with_act(rng, nodes)
        else:
            troubles.append(_trouble(rng, kind))
    if any(t.kind in ("refuse", "record_gone") for t in troubles):
        nodes = tuple(larger(rng, node) for node in nodes)
    return replace(made, nodes=nodes, troubles=(*others, *troubles))


def _trouble(rng: random.Random, kind: str) -> Trouble:
    at = rng.choice([0.0, 0.0, 2.0, 10.0, 40.0])
    seconds = rng.choice([20.0, 100.0, 100.0, 150.0])
    if kind == "refuse":
        number = rng.choice([1, 1, 2])
        return Trouble(kind, at=at, seconds=seconds, number=number, choice=rng.choice(CHOICES))
    number = rng.choice([1, 1, 2]) if kind == "record_gone" else 1
    return Trouble(kind, at=at, seconds=seconds, number=number)


def _with_act(rng: random.Random, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    free = [at for at, node in enumerate(nodes) if node.acts]
    if not free:
        return nodes
    at = rng.choice(free)
    act = Act(rng.choice(sorted(STRANGE_ACTS)), seconds=1.0)
    acts = (act, *nodes[at].acts[rng.choice([0, 1]) :])
    changed = replace(nodes[at], acts=acts, queue_timeout=min(nodes[at].queue_timeout, 60.0))
    return (*nodes[:at], changed, *nodes[at + 1 :])


def larger(rng: random.Random, node: Node) -> Node:
    """A node whose result needs a record."""
    gives = node.kind in ("python", "container", "agent") and rng.random() < 0.5
    acts = tuple(replace(a, name="big") if a.name == "gives" else a for a in node.acts)
    return replace(node, acts=acts) if gives else node
