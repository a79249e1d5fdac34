"""Which scenarios have compensations, and what they do. Drawn by itself and last, so that it
changes nothing of other scenarios."""

import random
from dataclasses import replace
from typing import Final

from tests.simulation.scenario.plan import AMPLE, Act, Node, Scenario, Trouble
from tests.simulation.scenario.undo import Undo

_SHARE: Final = 0.4
_ACTS: Final = ("gives", "gives", "gives", "gives", "fails", "fails", "hangs", "oom", "dies")
_DEADLINES: Final = (*[AMPLE] * 9, 8.0)


def with_compensations(made: Scenario) -> Scenario:
    """In every sixth scenario, of those without rounds, pauses, others and a template: most nodes
    with a pod are undone when the run fails or is cancelled. In two of three a late node fails.

    Now and then a person cancels the run while that is done, with or without skipFinally.
    """
    rng = random.Random(f"compensations of {made.seed}")
    able = [node.name for node in made.nodes if _can_be_undone(node)]
    taken = made.needs_people or made.is_strange or made.template is not None
    if rng.random() > _SHARE or taken or not able:
        return made
    chosen = rng.sample(able, max(1, round(len(able) * rng.choice([0.5, 0.8, 1.0]))))
    nodes = [_undone(rng, node) if node.name in chosen else node for node in made.nodes]
    if rng.random() < 0.67:
        at = next((at for at, node in enumerate(nodes) if node.last), len(nodes))
        nodes.insert(at, _late_failure(rng, [node.name for node in nodes[:at]]))
    troubles = list(made.troubles)
    asked = any(trouble.kind.startswith("cancel") for trouble in troubles)
    if rng.random() < 0.2 and not asked:
        choice, pause = rng.choice(["", "skip"]), rng.choice([0.0, 0.3, 2.0, 8.0])
        troubles.append(Trouble("cancel_finally", at=pause, choice=choice))
    clock = made.finally_deadline or rng.choice(_DEADLINES)
    return replace(made, nodes=tuple(nodes), troubles=tuple(troubles), finally_deadline=clock)


def _can_be_undone(node: Node) -> bool:
    return node.has_pod and not (node.is_map or node.loop or node.last)


def _undone(rng: random.Random, node: Node) -> Node:
    names = [rng.choice(_ACTS) for _ in range(rng.choice([1, 1, 2, 3]))]
    return replace(
        node,
        undo=Undo(
            kind=rng.choice(["python", "python", "container"]),
            acts=tuple(
                Act(name, rng.randrange(1000), seconds=rng.choice([0.1, 1.0, 4.0]))
                for name in names
            ),
            limit=rng.choice([5, 5, 1, 0]),
            once=rng.random() < 0.15,
            timeout=20.0 if "hangs" in names else 600.0,
            keyed=rng.random() < 0.5,
        ),
    )


def _late_failure(rng: random.Random, names: list[str]) -> Node:
    """A node that fails the run once some others have ended."""
    after = rng.sample(names, min(len(names), rng.choice([1, 2, 3])))
    fails = Act("fails", seconds=rng.choice([0.1, 2.0]))
    return Node(name="fall", kind="python", after=tuple(after), acts=(fails,))
